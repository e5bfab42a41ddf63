// Package offline runs the detectors of models/detect over recorded files. It is
// the verb "millwright detect" and uses the very code that runs on the edge.
package offline

// Package plant is the vocabulary of Millwright: what a sample, a tag, an
// asset, a gap, a finding and an alarm are, from the PLC to the pixel.
//
// Every other package speaks these types and no package translates them into
// types of its own, so that a value is built once (by the collector), encoded
// once (by the edge's uplink), decoded once (by the historian's ingest) and
// drawn. The package imports the standard library only.
//
// Times are int64 nanoseconds since 1970 in UTC. The wire and the stores keep
// whole milliseconds (the resolution of Sparkplug B), so the key of a sample is
// (tag, source time in milliseconds); use Millis to cut a time.
package plant

// Package ledger is what a simulated works writes down: the truth, which is what
// was wrong with which machine and how badly, and the samples, which is every
// value that was offered to whoever looked. Detectors are judged by these two
// files alone.
//
// The truth is JSON lines, for people; the samples are compact, see FORMAT.md.
// Both are written through at every call, so that a kill takes nothing that was
// said, and both can be continued by the next start.
package ledger

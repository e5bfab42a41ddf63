// Package queue is the edge's durable store-and-forward queue on Pebble.
//
// Every record is written ahead, always, not only when the plant is away. A
// record is numbered when it is made, published at once by the uplink, and
// committed (CRC and fsync) at the same time; it is freed only when the
// historian says that it has it on disk (Settle). Findings and gaps, telemetry,
// waveforms and the audit have lanes and quotas of their own; beyond theirs waveforms
// and telemetry are given up, oldest first, and declared. What stays longer than a few
// seconds is packed.
//
// Record numbers count 1, 2, 3 … within an epoch. An epoch is drawn at random
// at every opening, because a record may have been on the wire without being on
// disk when the process died: its number must never name other data. A record
// keeps the epoch and the number it was born with.
//
// FORMAT.md describes every byte on disk.
package queue

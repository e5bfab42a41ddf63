// Package chunk packs a run of samples of one tag into few bytes and gives
// them back bit for bit: times as int64 nanoseconds, values as float64 with
// NaN payloads, infinities and the sign of zero, quality as 32-bit status codes.
//
// A chunk carries a summary, so that a coarse trend never decodes it. How times
// and values are written is chosen per chunk from what the samples are: evenly
// timed or not, decimals of a PLC, counts of an analogue input, steps, noise.
// FORMAT.md draws the bytes.
//
// Decoding is safe with any input: damage is an error, never a panic, and
// memory is bounded by MaxSamples.
package chunk

// Package store keeps the plant's samples, texts and gaps so that what it has
// once accepted is never lost, and gives them back as raw blocks or as trends.
//
// Store is the contract of every back end; Pebble is the embedded one. The key
// of a sample is (tag, source time in whole milliseconds): the same sample
// twice is one, another value at the same key is a correction and wins, late
// data is always accepted. The way of a batch through Pebble:
//
//	Append → one synced write: the batch as it came, its record numbers,
//	         its states and gaps            (prefix "i", "m", "s", "g")
//	       → heads: per tag, in memory
//	       → chunks of about a thousand samples, compressed (prefix "c", "l")
//	       → the batch as it came is dropped once all its tags are in chunks
//
// Reopening reads the batches that are not yet in chunks back into the heads,
// so crash safety is Pebble's alone. FORMAT.md has the keys and values,
// chunk/FORMAT.md the inside of a chunk.
package store

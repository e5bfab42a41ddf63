// Package influx keeps the plant's samples in an InfluxDB that the plant runs
// already, 1.8 or 2.x, and satisfies store.Store as the embedded store does.
//
// All that the store remembers is in the one database: losing the plant
// server's disk loses nothing. FORMAT.md has the measurements. The way of a
// batch:
//
//	Append → lines of text, those of a tag in one lane and in order
//	       → requests of at most 5,000 points, a few lanes at once
//	       → once all are confirmed: the record numbers (measurement "mark")
//	       → the last values in memory
//
// The numbers go last, so what is acknowledged to an edge is in the database. A
// failure in between leaves points without their numbers; the edge sends the
// record again, and the key (series, time) makes the repeat harmless. The client
// library neither retries nor buffers here: the queue of the edges does both.
//
// The ID of a tag is the place of its description in the measurement "meta", so
// it is the same after every start. A number that was once sent with a path is
// never used for another one. The tags of a series (area, asset, unit) are those
// that the tag had when it was first interned: Influx takes them for part of the
// key, so a unit that is corrected later changes "meta" alone.
//
// Two sides that Influx has and a sample has not are papered over in the quality
// field: fields of one key merge, so a value that is not finite cannot simply be
// left out (the value before would show through), and the line format knows no
// NaN. See quality.go.
//
// Points that the server refuses for ever (400, 413, 422) must not hold up the
// edges for ever: they are told apart by halving the request, written to a file
// below Config.Dir and synced before Append succeeds. If all of a large request
// is refused, that may be no poisoned point but a fault in the set-up: Append
// fails for 15 minutes, so that somebody can mend it while the edges keep their
// records, and then goes on in the same way.
package influx

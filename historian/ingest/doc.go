// Package ingest is the plant's Sparkplug host: it takes what the edges send,
// shows it, stores it, and tells the edges which records are on disk.
//
//	broker ──▶ inbox ──▶ decoder ──▶ Live            at once, before any disk
//	                        ├──────▶ committer ──▶ Store    ──▶ answers ──▶ NCMD
//	                        └──────▶ finder    ──▶ Alarms   ──▶ answers ──▶ NCMD
//
// A record is acknowledged when its samples and its number are durable, and
// never before; a number that comes again is acknowledged again and not applied
// again. What finds no room in memory is dropped without an acknowledgement, so
// that the edge sends it later. Edges that do not know the acknowledgement are
// stored on arrival.
package ingest

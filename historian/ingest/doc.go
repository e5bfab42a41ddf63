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
//
// Nothing waits for a message that is missing: what arrives is stored at once, each
// message has its place in the run of seq, and of two that say something of one tag or
// device the later place counts. After the reorder timeout the births are asked for.
//
// Edges take turns at everything that is bounded (fair, room), so that one that floods
// waits for itself. What cannot be read is kept in a folder (Unread). What an edge has
// settled and this host does not have, because it was restored from a backup, becomes
// gaps (hole). Two boxes with one identity are told by their epochs, and a record is
// read only by births that name its opening (node.birthsOf).
package ingest

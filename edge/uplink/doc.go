// Package uplink sends the edge's queue to the plant: a Sparkplug B edge node
// that frees a record only when the historian says that it has it on disk.
//
// One goroutine sends, in strict order: births and deaths; findings, new or
// again; live records; what was not acknowledged. A live record is published at
// the moment it is made and never waits for a disk or for the backlog. All the
// rest is read from the queue, so that nothing depends on noticing an outage in
// time. A message is encoded when it is sent: alias, seq and the historical
// flag differ from send to send.
//
//	Offer ──▶ handover ──┐
//	                     ├──▶ session (one connection) ──▶ broker
//	queue.Backlog ─sweep─┘        ▲ STATE, NCMD
//	                              └── flights: what waits for its answer
//
// sparkplug/FORMAT.md describes what is on the wire.
package uplink

// Package edge is the agent beside the PLCs: its sources' batches pass the
// models, go to the durable queue and out to the plant.
//
//	source ──Write──▶ agent ──▶ queue.Append (on disk) ──▶ source.Committed
//	                    │  └──▶ uplink.Offer (on the wire, at once)
//	                    └──▶ detector.Observe ──▶ findings, scores: queued and sent alike
//
// The agent has no channel between stages: a source's Write returns when the
// batch is taken, an error is back-pressure. Findings and gaps travel in a lane
// of their own, ahead of telemetry.
package edge

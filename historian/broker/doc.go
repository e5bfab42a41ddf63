// Package broker is the MQTT broker that Millwright brings along: nats-server,
// embedded, speaking MQTT 3.1.1. A plant that has a broker of its own uses that
// one instead.
//
// Nothing in Millwright rests on the broker keeping a message: samples travel at
// QoS 0 and are proven stored by the historian's acknowledgement alone. What the
// broker must do is keep strangers out. With users it lets an edge publish below
// its own group and node only, and commands come from the plant's primary host
// only, because a forged acknowledgement destroys data (sparkplug/FORMAT.md).
// Without users it listens on loopback addresses only.
package broker

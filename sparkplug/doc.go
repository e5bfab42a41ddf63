// Package sparkplug is the wire between the edges and the plant: topics and
// payloads of Sparkplug B 3.0, what a host must remember of a node to read
// them, and the acknowledgement metrics by which a historian says what it has
// on disk.
//
// Sparkplug publishes data at QoS 0, so neither MQTT nor a broker can say that
// a value was stored; only the historian can, and it does so in ordinary
// metrics that every other Sparkplug application may ignore. FORMAT.md beside
// this file describes every byte and metric.
//
// The package does no I/O, starts no goroutine and reads no clock. Times are
// int64 nanoseconds UTC like everywhere in Millwright; the wire carries whole
// milliseconds.
package sparkplug

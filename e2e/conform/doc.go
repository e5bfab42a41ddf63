// Package conform holds edge and historian to the Sparkplug specification, by the
// ids of its assertions: real edges and a real historian over real brokers, judged
// by the bytes on their connections. It holds tests only; docs/sparkplug.md says
// what they cover.
package conform

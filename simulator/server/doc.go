// Package server is an honest OPC UA server for the simulated mill: it does
// what it answers. A queue that it grants is kept, what falls out of a queue is
// marked with the overflow bit, a filter that it accepts is applied, a limit
// that it declares is enforced, a password that it asks for is checked. A
// collector tested against it can therefore count its losses.
//
// The codec and the cryptography are those of github.com/gopcua/opcua. Its
// stock server is not used: that one queues a single value, accepts every
// password, has no Republish and can deadlock when a client dies. Its server
// side secure channel is not used either: it swaps keys in place at a token
// renewal, so that a Publish response sent at that moment is garbled.
//
// # Supported
//
//   - opc.tcp with security None and Basic256Sha256 (Sign, SignAndEncrypt),
//     token renewal, trust list of client certificates, token and message
//     limits.
//   - Anonymous users, user names with encrypted passwords, X.509 users.
//   - GetEndpoints, FindServers, CreateSession, ActivateSession (also of an
//     existing session from a new secure channel), CloseSession, Cancel, Browse,
//     BrowseNext, TranslateBrowsePathsToNodeIds, RegisterNodes, Read.
//   - HistoryRead of raw values of the variables that have a History: the last
//     ones written, in memory, forward and backward, with continuation points,
//     without bounding values.
//   - Subscriptions and monitored items of OPC 10000-4, 5.13 and 5.14: queues
//     with both discard policies, sampling intervals, all three triggers,
//     absolute and percent deadband, monitoring modes, keep-alive and lifetime
//     counters, bounded retransmission, Republish, TransferSubscriptions,
//     StatusChangeNotification.
//   - Troubles for tests: nodes removed, namespaces renumbered, publishing starved,
//     subscriptions dropped, sessions expelled, the clock stepped.
//
// # Not supported
//
// Write, Call, node management and HistoryUpdate are refused and counted: the
// mill cannot be written to. There is no history of arrays and none of events,
// no modified or processed values, no events or alarms, no triggered items
// (SetTriggering), no query, no reverse connect, no RSA policy other than
// Basic256Sha256, no revocation lists, and no lock-out after wrong passwords. A
// message, either way, is at most 256 kB. The standard address space is the part
// of namespace 0 that clients of a data server read, not all of it. Waiting
// PublishRequests do not outlive their TCP connection.
package server

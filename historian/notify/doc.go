// Package notify tells people about alarms: it plans from the alarm journal who
// is to be told, keeps every message in a durable outbox, and hands messages to
// channels until somebody acknowledges.
package notify

// Package collector reads the values of a PLC through its OPC UA server and
// loses none of them silently.
//
// A Source owns one secure channel, one session and one subscription. The
// subscription engine is our own: several Publish requests in flight,
// notifications put in order by sequence number, acknowledged only when what
// they carried is on our disk (Committed), asked for again (Republish) after a
// fault. The server therefore holds everything that we might still forget: a
// cut cable, a restart of our process and a change of the session lose nothing
// as long as the subscription and its queues live. What is lost beyond that,
// because the server died or its queues ran over, is read from the server's
// history where the tag has one: newest first, one request at a time, beside the
// live values. A span counts as given when the history also holds the values at
// its two ends, and never across a start of the server. What the history does
// not give is declared as a plant.Gap of the tag. Until that is settled the span
// is kept in the state file.
//
// The alarms of the PLC itself come by the same subscription, as events, and become
// findings (plant.PLCAlarm) in the same batches as the values.
//
// The package can only read: it sends no Write, AddNodes, DeleteNodes or
// HistoryUpdate request, and one single Call, ConditionRefresh, which makes a server
// send its open alarms again. A test holds that.
package collector

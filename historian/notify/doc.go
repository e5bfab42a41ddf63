// Package notify tells people about alarms: it plans from the alarm journal who
// is to be told, keeps every message in a durable outbox, and hands messages to
// channels until somebody acknowledges.
//
// # Who has what when
//
// The planner follows the journal of the alarm book. What a journal entry causes
// and the step of the cursor over it are one transaction; each message has a key
// that the same cause makes again: plant, alarm, ladder, purpose, step, lap,
// person, channel, address. So a kill at any moment loses nothing and plans
// nothing twice. A message is marked as being sent, durably, then handed over,
// then marked as sent. What a kill left in between goes again with its key, by
// which the far side knows it (Message-ID of mail, Idempotency-Key of webhooks,
// file name in the spool, sequence id of ntfy): at least once here, once there where
// the far side looks at the key. A mail reader may show two. No kill can repeat more
// than was under way: four messages of each channel.
//
// # Routes and ladders
//
// The first route whose area (whole elements of the path), classes and priority
// match is taken; an empty list of classes means all five, advisory too. An
// alarm that matches none, or a muted one, tells nobody; Stats counts the former
// and the log says it once. The first step goes at once. Whom a step tells is
// decided when it falls due, by the newest roster: people of a team who are on
// call then, the first at the first step that names the team, the second at the
// next, and so on. A step that finds nobody gives way to the next at once. The
// ladder is climbed Repeat times more, with its longest wait before each (5 min
// where it has none).
//
// A turn begins when the wall clock of the team first shows its hour, and does
// not begin again where clocks go back. Hours over midnight belong to the day on
// which they begin. Of overrides that overlap, the one last in the list wins.
//
// Acknowledging, wherever, cancels all that is pending for the alarm, a message
// in back-off too; one that is being handed over cannot be recalled and is not
// tried again. Back to normal before that: later steps are cancelled, whoever was
// told is told that (by SMS only at priority 1), a first message still on its way
// says so, and nobody is told of what ended more than 10 min ago. A condition
// that comes back unacknowledged is told again to all who were told, and climbs on
// from the step where it stood, when that was due or at once; only an
// acknowledgement begins its ladder anew. From the third time within 10 min those
// who were told are told once in 10 min, with the count; the climb goes on. More
// urgent than all that was told: told again in the same way, and where that is
// another route, by its ladder from the start. Acknowledged, then more urgent than
// that: the first step is told once.
//
// At the very first start alarms raised more than an hour ago are left alone. Later
// a start tells what was raised while the plant was down and is there still. A
// roster that is saved after an alarm pages for it where nobody was told so far. Where
// a saved ladder is shorter than where an alarm stood, that is the end of a lap, and
// after the last lap the last step is told once.
//
// # Grouping, floods, quiet hours
//
// What joins an alarm of the same asset and family of classes (machine, sensor,
// system) within 30 s, for the same contact, follows as one message "more" at
// their end, unless it is more urgent than what was told.
//
// A person gets at most 10 messages in any 60 s, all channels together; two of
// them are kept for priority 1. What exceeds is held and comes as one digest per
// channel when there is room, urgent things first. Answers, tests and heartbeats
// do not count. Webhooks lead to systems, which want every alarm by itself:
// neither grouping, damping nor the flood limit is for them, and they hear of the
// return of what was acknowledged, too.
//
// Quiet hours hold messages, drop none, and let priority 1 and what Passes allows
// through; the ladder goes on to others meanwhile. At their end one digest tells
// what was held and what became of it, also of what was acknowledged. A heartbeat
// waits.
//
// # Failing channels
//
// A try that fails is repeated after 2 s, doubling up to 5 min, with jitter, or
// when the server asked for. Five failures in a row open the circuit of a channel
// (of each webhook by itself) for 30 s, then one message probes; a test passes
// always. A message is dead when the far side refused it for good, or after 24 h;
// Retry puts it back. A message that a modem took and could not send, which is looked
// for every 10 s, is dead as well. When it dies, or its channel fails for a minute, the step
// goes to the person's next contact as well, on the same channel only while that works; where that
// arrives first, the other is cancelled. Each channel has a lane with four tries
// at once, so one that hangs delays no other.
//
// Heartbeat messages go when a shift begins: at each hand-over of each rotation
// of a team, daily where its turns are of whole days or it works at hours of the
// day, and at 06:00, 14:00 and 22:00 of its wall clock where it has no rotations
// (of the desk's, where there are no teams). On each channel one goes to the first
// on call who has a contact there; where nobody on call in any team has, to the
// first of the roster; where nobody at all has, the channel's status says so.
//
// # Links and codes
//
// A link holds 128 bits of an HMAC over the key of its message; the file keeps
// only their hash, the outbox only a text without them, and the key of the HMAC
// is in a file of its own (link.key). It takes the alarms that its message named,
// in the episode that it told, as the person it was sent to, once, for 12 h and
// while that person is in the roster.
// The two digits of an SMS do the same, bound to the phone number; a code may
// be wrong five times in an hour, of which the last answer says that it was the
// last; what holds no code is answered five times in an hour and closes nothing.
// Numbers that are in no contact get no answer. Logs show no address.
//
// # The clock
//
// Times are of the wall clock, because they outlive the process. When it was set
// back by more than a minute, and at each start, what waits for a time ahead waits
// from now for as long as it would if it began to wait now.
//
// # The file
//
// notify.db, SQLite with WAL and synchronous=FULL, mode 0600. Times are ns UTC.
//
//	desk     one row: name (begins all keys), cursor in the alarm journal, first:
//	         the journal has not been read to its end yet
//	roster   revisions, never deleted
//	episode  per alarm: state and body (the alarm after its last planned entry),
//	         number (of times told anew), step and lap that come next, due (0:
//	         none, below 0: away, at -due once it is back), recurs (source
//	         times), damped (chatters; told nobody twice before), again (then
//	         told again), urgency (most urgent priority told or acknowledged),
//	         acked (journal entry)
//	message  the outbox. hold: quiet or flood, held for it or telling what was;
//	         since: GiveUp counts from it; handed: last given to the channel, 0
//	         where it came back; fell: another contact was looked for; instead:
//	         of the message whose channel failed
//	told     which alarms, in which episode (count of the alarm), a message names
//	link     SHA-256 of a token, its message, end, when it was used
//	code     two digits on a phone, the message they answer, end
//	wrong    answers of a phone that acknowledged nothing; coded: with a code
//	channel  counters
//	beat     when the shift of a team began (s) whose heartbeats went last
//
// A message moves
//
//	pending ─▶ sending ─▶ sent
//	   │ ▲        ├─▶ pending (back-off) ─▶ …
//	   ▼ │        └─▶ dead ─▶ pending (Retry)
//	  held ─▶ cancelled ("told in message N"), or pending again by itself
//
// and to cancelled from pending or held by an acknowledgement, a return to
// normal, a recurrence, or because another message told it.
//
// Where the alarm book is not the one whose journal was followed (lost, or put
// back from a copy), the desk begins anew with another name.
package notify

// Drafted by engineers; to be reviewed by a native speaker of English.

package text

import "millwright/plant"

var english = language{
	decimal: ".",
	comma:   ", ",
	stop:    ". ",
	months:  [12]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
	urgency: [4]string{"act now", "act within the hour", "act in this shift", "plan for the next stop"},
	plural:  oneOrMany,

	kinds: map[string]string{
		plant.KindAnomaly:     "Unusual behaviour",
		plant.KindHigh:        "High",
		plant.KindHighHigh:    "Very high",
		plant.KindLow:         "Low",
		plant.KindLowLow:      "Very low",
		plant.KindRate:        "Rising too fast",
		plant.KindFlat:        "Sensor does not move",
		plant.KindStuck:       "Sensor stuck",
		plant.KindSpike:       "Sensor spikes",
		plant.KindDropout:     "Sensor silent",
		plant.KindBad:         "Sensor of bad quality",
		plant.KindRange:       "Sensor out of range",
		plant.KindPLC:         "PLC connection lost",
		plant.KindEdge:        "Edge connection lost",
		plant.KindQueue:       "Edge queue fault",
		plant.KindModel:       "Model dropped",
		plant.KindQuarantine:  "Tag in quarantine",
		plant.KindCheckpoint:  "No fresh checkpoint of the edge",
		plant.KindLoss:        "Values lost between edge and plant",
		plant.KindTwin:        "Two boxes are one edge",
		plant.KindHole:        "Records missing in the historian",
		plant.KindUnread:      "Messages of an edge cannot be read",
		plant.KindCertificate: "Certificate expires",
		plant.KindException:   "PLC read with weak security",
		plant.KindPLCAlarm:    "PLC alarm",
		plant.KindPLCFlood:    "Many PLC alarms",
	},
	direction: map[string]string{"high": "high", "low": "low", "noisy": "noisy", "frozen": "frozen"},

	phrases: map[phrase]string{
		labelWhere:   "Where",
		labelWhat:    "What",
		labelSince:   "Since",
		labelWhen:    "When",
		labelWhy:     "Why",
		labelCause:   "Common causes",
		labelFirst:   "Do this first",
		labelRespond: "Respond by",
		labelPLC:     "In the PLC",
		labelAck:     "Acknowledge",
		labelOpen:    "Open",

		unknownKind:  "Alarm {kind}",
		headPriority: "P{p} – {urgency}",
		subject:      "P{p} {asset} – {what}",
		withTag:      "{what}: {tag}",
		withValue:    "{what}: {tag} {value}",
		withLimit:    "{what}: {tag} {value}, limit {limit}",
		withExpected: "{what}: {tag} {value}, expected {expected}",
		contribution: "{tag} {value}, expected {expected} ({direction}, {share})",
		said:         `{what} "{text}"`,
		noWay:        "Step {n} of the escalation: nobody has taken it yet",
		nextStop:     "Next planned stop",
		overdue:      "{time} – overdue",
		justNow:      "just now",
		spanMinutes:  "{n} min",
		spanHours:    "{n} h",
		spanDays:     "{n} d",

		stateActive:   "active",
		stateTaken:    "active, taken by {who}",
		stateReturned: "back to normal",
		andMore:       "… and {n} more",

		returnSubject: "OK {asset} – back to normal: {what}",
		returned:      "Back to normal",
		ackedBy:       "Acknowledged by {who}",
		notAcked:      "Not acknowledged yet",
		digestSubject: "Digest: {alarms}, {active} active",
		digestHeld:    "Held back until now: {messages}",

		testSubject:      "Test message of Millwright",
		testBody:         "Sent at {time} as a test: nothing is wrong and nothing is to be done. Alarms will reach you this way.",
		heartbeatSubject: "Millwright is alive",
		heartbeatBody:    "Sent at {time}, once in a shift. If it does not come, alarms do not come either: look at the plant server and at this channel.",
		replyDone:        "OK: P{p} {asset} acknowledged at {time}",
		replyUnknown:     "No open alarm waits for this answer. Nothing was acknowledged.",
		replyUnknownCode: "No open alarm has the code {code}. Nothing was acknowledged.",

		smsLimit:    "limit {limit}",
		smsExpected: "expected {expected}",
		smsSince:    "since {time}",
		smsBy:       "By {time}",
		smsOverdue:  "Overdue",
		smsCause:    "Often: {cause}",
		smsReply:    "Reply {code}",
		smsSpan:     "{from}-{to}",
		smsReturned: "back to normal",
		smsDigest:   "Digest: {messages} held, {alarms}, {active} active",
		smsWorst:    "Worst:",
		smsTest:     "Millwright test {time}. Nothing is wrong. Alarms reach you this way",
		smsAlive:    "Millwright is alive, {time}. If this stays away, look at the plant server.",
	},
	nouns: map[noun][3]string{
		nounAlarms:   {"{n} alarm", "{n} alarms", "{n} alarms"},
		nounMore:     {"{n} more alarm", "{n} more alarms", "{n} more alarms"},
		nounMessages: {"{n} message", "{n} messages", "{n} messages"},
		nounTimes:    {"raised {n} time", "raised {n} times", "raised {n} times"},
	},

	advice: map[topic]advice{
		vibration + "/gearbox": {
			"bearing or gear damage, looseness, misalignment, lack of oil",
			"Look and listen at the named bearing; check oil level and oil temperature before the next coil.",
			"Listen at bearing, check oil"},
		vibration + "/pump": {
			"cavitation, worn bearing, imbalance, loose foundation or coupling",
			"Listen for cavitation; check suction pressure, strainer and foundation bolts.",
			"Check suction, strainer, bolts"},
		vibration + "/fan": {
			"build-up on the impeller, imbalance, bearing damage, loose foundation",
			"From outside check bearing temperature and foundation bolts; look at the impeller at the next stop.",
			"Check bearing temp, bolts"},
		vibration + "/motor": {
			"bearing damage, misalignment, loose foundation, uneven load",
			"Listen at both bearings; check foundation bolts and coupling, the guard stays on.",
			"Listen at bearings, check bolts"},
		vibration: {
			"imbalance, misalignment, looseness, bearing damage",
			"Look and listen at the machine from a safe place; check fixing bolts and lubrication.",
			"Look, listen, check bolts, oil"},
		temperature + "/gearbox": {
			"low oil, blocked cooler, overload, bearing damage",
			"Check oil level, oil flow and cooling water; reduce the load if the temperature still rises.",
			"Check oil and cooling water"},
		temperature + "/pump": {
			"bearing with too little or too much grease, low flow, poor cooling",
			"Check bearing lubrication and cooling water, and that the discharge valve is open.",
			"Check bearing, cooling, valve"},
		temperature + "/fan": {
			"bearing with too little or too much grease, hot gas, poor cooling",
			"Check bearing lubrication and cooling; compare the gas temperature with the usual one.",
			"Check bearing grease, cooling"},
		temperature + "/motor": {
			"overload, blocked cooling air, bearing damage, uneven phases",
			"Check cooling air and filters; compare the current with the usual one; reduce the load if the temperature still rises.",
			"Check cooling air and current"},
		temperature: {
			"overload, poor cooling, lack of lubrication",
			"Check cooling and lubrication; reduce the load if the temperature still rises.",
			"Check cooling, lubrication"},
		pressureLow + "/gearbox": {
			"low oil, blocked filter, worn oil pump, leak",
			"At once check oil level, filter and standby oil pump; without oil pressure the gears must not run.",
			"Check oil, filter, standby pump"},
		pressureLow + "/pump": {
			"blocked strainer, closed suction valve, low tank, worn pump",
			"Check tank level, suction valve and strainer; start the standby pump if the pressure does not hold.",
			"Check tank, strainer, valve"},
		pressureLow: {
			"leak, blocked filter, no supply",
			"Look for leaks; check filter and supply pump.",
			"Check leaks, filter, supply"},
		pressureUp: {
			"closed valve, blocked line or nozzle, control fault",
			"Check the valves behind the measuring point and the pressure control.",
			"Check valves, control"},
		flowLow + "/gearbox": {
			"blocked filter, worn oil pump, cold oil, leak",
			"Check oil filter, oil pump and oil temperature; watch the bearing temperatures.",
			"Check oil filter, oil pump"},
		flowLow + "/pump": {
			"blocked strainer, closed valve, air in the suction, worn pump",
			"Check suction and discharge valve and the strainer; do not let the pump run dry.",
			"Check valves, strainer"},
		flowLow: {
			"blocked filter or nozzle, closed valve, leak",
			"Check valves and filters along the line; look for leaks.",
			"Check valves, filters, leaks"},
		loadHigh: {
			"heavier product, friction, misalignment, mechanical damage",
			"Compare with the product that runs; if that is not the reason, reduce the load and look for friction.",
			"Compare product, reduce load"},
		speed: {
			"drive or control fault, slipping belt or coupling, wrong set point",
			"Compare with the set point; look at the fault list of the drive.",
			"Check set point, drive faults"},
		anything: {
			"a change of the process or of the machine",
			"Look at the trend in Millwright and at the machine; compare with the last shift.",
			"Check trend and machine"},
		plant.KindFlat: {
			"sensor or cable fault, frozen transmitter",
			"Check sensor, cable and transmitter; do not trust this value until then.",
			"Check sensor and cable"},
		plant.KindStuck: {
			"stuck transmitter or input card",
			"Check the sensor and its input channel in the PLC; do not trust this value until then.",
			"Check sensor, PLC channel"},
		plant.KindSpike: {
			"loose contact, electrical interference, failing sensor",
			"Check plug, shield and cable route of the sensor.",
			"Check plug and shield"},
		plant.KindDropout: {
			"broken cable, no supply, the PLC does not send",
			"Check supply and cable of the sensor, then its channel in the PLC.",
			"Check supply and cable"},
		plant.KindBad: {
			"the PLC calls the value bad: broken wire, channel fault",
			"Look at the diagnosis of the channel in the PLC, then check wire and sensor.",
			"Check PLC channel, wire"},
		plant.KindRange: {
			"broken wire, short circuit, wrong scaling",
			"Check wire and transmitter current; compare the scaling with the PLC.",
			"Check wire, scaling"},
		plant.KindPLC: {
			"network, power or the PLC itself",
			"Check power and network of the PLC and of its switch; until then its machines are not watched.",
			"Check PLC power, network"},
		plant.KindEdge: {
			"power or network of the edge computer",
			"Check power and network of the edge computer; until then its machines cannot be seen from here.",
			"Check edge power, network"},
		plant.KindQueue: {
			"a record that could not be sent, or a damaged disk",
			"Look at the log and the disk of the edge; what was set aside is kept on its disk.",
			"Check edge log, disk"},
		plant.KindModel: {
			"a trained model that failed on this machine",
			"Nothing at the machine: the model from before judges again. Tell the engineer.",
			"Tell the engineer"},
		plant.KindQuarantine: {
			"the PLC's program was changed: another type, unit or range",
			"Let the engineer say on the page of the edges whether the tag is the same, rescaled or new; until then nothing of it is taken.",
			"Tell the engineer"},
		plant.KindTwin: {
			"two boxes have one name, or one runs on a copy of the other's disk",
			"Find the second box and stop it, or give it a name of its own; the values of both are kept under the same tags.",
			"Stop the second box"},
		plant.KindHole: {
			"the historian was restored from an older backup",
			"Nothing can be fetched again: what is missing is declared as a gap in every tag of the edge. Tell the engineer.",
			"Tell the engineer"},
		plant.KindUnread: {
			"the edge's program is newer or broken, or something else speaks under its name",
			"Let the engineer see them with millwright unread; they are kept.",
			"Tell the engineer"},
		plant.KindCertificate: {
			"its time runs out; nothing is broken yet",
			"Let the engineer renew it before its last day; after that the PLC is not read.",
			"Tell the engineer"},
		plant.KindException: {
			"somebody's decision, with a last day",
			"Nothing at the machine. Let the engineer secure the connection before that day.",
			"Tell the engineer"},
		plant.KindPLCAlarm: {
			"what the PLC's own program watches",
			"Do what the PLC's instruction at the control desk says; acknowledging here does not acknowledge there.",
			"Look at the control desk"},
		plant.KindPLCFlood: {
			"one cause with many alarms, or a signal that chatters",
			"Look at the PLC's alarm list at the control desk; the rest comes here one by one, the most urgent first.",
			"See the list at the desk"},
	},
}

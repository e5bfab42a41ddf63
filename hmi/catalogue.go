package hmi

import (
	"strings"

	"millwright/plant"
)

// catalogue is the texts of the server's own pages in a language, English where it
// is none of theirs. A test holds the languages and the templates against each
// other.
func catalogue(language string) map[string]string {
	switch language {
	case plant.Urdu:
		return urdu
	case plant.Russian:
		return russian
	}
	return english
}

// preferred is the first language of an Accept-Language header (RFC 9110, 12.5.4)
// that the pages have. Browsers name the one that their user likes best first.
func preferred(header string) string {
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(tag, "-")
		switch l := strings.ToLower(primary); l {
		case plant.English, plant.Urdu, plant.Russian:
			return l
		}
	}
	return plant.English
}

var english = map[string]string{
	"app.name":        "Millwright",
	"login.title":     "Log in",
	"login.name":      "Name",
	"login.password":  "Password",
	"login.submit":    "Log in",
	"login.wrong":     "Name or password is wrong.",
	"login.wait":      "Too many attempts. Try again in %s seconds.",
	"login.help":      "No account? On the server, run:",
	"login.command":   "millwright users --help",
	"setup.title":     "Make the first account",
	"setup.intro":     "Nobody has an account yet. This one will be the administrator.",
	"setup.code":      "The code is wrong. It is the one that the terminal shows since the last start.",
	"setup.code.hint": "Code from the terminal of the server",
	"setup.name":      "The name may have 1 to 64 letters, digits and . _ - @",
	"setup.password":  "The password is too short or too long.",
	"setup.min":       "At least %d characters.",
	"setup.again":     "Password again",
	"setup.repeat":    "The two passwords differ.",
	"setup.submit":    "Make the account",
	"empty.title":     "The pages are not built in",
	"empty.text":      "This program was built without the web app. Build it with: make. The interface works:",

	"link.title":        "Alarm",
	"link.priority":     "Priority %d",
	"link.what":         "What",
	"link.since":        "Since",
	"link.for":          "for %s",
	"link.returned":     "Back to normal",
	"link.text":         "The message",
	"link.means":        "You take this alarm as %s. Nobody else will be called then.",
	"link.submit":       "Take the alarm",
	"link.done":         "You have taken this alarm as %s, %s. Nobody else will be called.",
	"link.acknowledged": "%s has taken this alarm already, %s.",
	"link.used":         "This link has been used.",
	"link.expired":      "This link is too old. The alarm can be taken in Millwright.",
	"link.unknown":      "This link is not known. Part of it may be missing: open it from the message once more.",
	"link.open":         "Open Millwright",
	"time":              "2 Jan 2006, 15:04",
	"span.minutes":      "%d min",
	"span.hours":        "%d h",
	"span.days":         "%d days",

	"kind.machine.anomaly": "Unusual behaviour",
	"kind.limit.high":      "High",
	"kind.limit.high-high": "Very high",
	"kind.limit.low":       "Low",
	"kind.limit.low-low":   "Very low",
	"kind.limit.rate":      "Rising too fast",
	"kind.sensor.flat":     "Sensor does not move",
	"kind.sensor.stuck":    "Sensor stuck",
	"kind.sensor.spike":    "Sensor spikes",
	"kind.sensor.dropout":  "Sensor silent",
	"kind.sensor.bad":      "Sensor reports bad quality",
	"kind.sensor.range":    "Sensor out of range",
	"kind.system.plc":      "PLC connection lost",
	"kind.system.edge":     "Edge lost",
	"kind.system.queue":    "Edge queue fills",
	"kind.system.model":    "Model dropped",

	"kind.system.quarantine":  "Tag in quarantine",
	"kind.system.twin":        "Two boxes are one edge",
	"kind.system.hole":        "Records missing in the historian",
	"kind.system.unread":      "Messages of an edge cannot be read",
	"kind.system.certificate": "Certificate expires",
	"kind.plc.alarm":          "PLC alarm",
	"kind.plc.flood":          "Many PLC alarms",
	"kind.system.exception":   "PLC read with weak security",
	"kind.system.checkpoint":  "No fresh checkpoint of the edge",
	"kind.system.loss":        "Values lost between edge and plant",
}

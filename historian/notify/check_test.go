package notify

import (
	"errors"
	"reflect"
	"testing"

	"millwright/plant"
)

// Every fault of a roster is named at once, with its path.
func TestFaults(t *testing.T) {
	_, err := read(plant.Roster{
		People: []plant.Person{
			{ID: "ali", Name: "Ali", Language: "ur", Contacts: []plant.Contact{{Channel: "sms", Address: "0300 1234567"}, {Channel: "fax", Address: "1"}}},
			{ID: "ali", Name: "A\r\nBcc: x", Language: "de", Quiet: &plant.Quiet{From: "22:00", To: "25:00", Zone: "Mars", Passes: 9}},
		},
		Teams: []plant.Team{{ID: "mech nic", Name: "M", Zone: "Asia/Karachi", Rotations: []plant.Rotation{
			{People: []string{"omar"}, Start: "2026-11-30", Hours: 0, Days: []string{"monday"}, From: "06:00"}},
			Overrides: []plant.Override{{Person: "ali", From: "2026-11-30T06:00:00Z", To: "2026-11-29T06:00:00Z"}}}},
		Routes: []plant.Route{
			{ID: "r", Area: "/HSM", Classes: []plant.Class{"red"}, Priority: 5, Repeat: -1},
			{ID: "r", Steps: []plant.Step{{WaitS: 5, Teams: []string{"t"}, Channels: []string{"fax"}}, {}}},
			{ID: "q", Mute: true, Steps: []plant.Step{{People: []string{"ali"}}}},
		},
	})
	var f interface{ Faults() []string }
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	want := []string{
		`people[0].contacts[0].address: "0300 1234567" is not a phone number with its country, such as "+923001234567"`,
		`people[0].contacts[1].channel: "fax" is not one of mail, sms, ntfy, webhook`,
		`people[1].id: "ali" stands here twice`,
		`people[1].name: "A\r\nBcc: x" is not a name for people: 1 to 200 bytes in one line`,
		`people[1].language: "de" is not one of en, ur, ru`,
		`people[1].contacts: 0 of them: 1 to 20`,
		`people[1].quiet.zone: "Mars" is not a zone such as "Asia/Karachi" or "UTC"`,
		`people[1].quiet.to: "25:00" is not a time of day such as "06:00"`,
		`people[1].quiet.passes: 9 is not a priority from 1 to 4`,
		`teams[0].id: "mech nic" is not a name: 1 to 64 letters, digits, "-" and "_"`,
		`teams[0].rotations[0].people[0]: there is nobody "omar" in people`,
		`teams[0].rotations[0].start: "2026-11-30" is not a local time such as "2026-11-30T06:00"`,
		`teams[0].rotations[0].hours: 0 is not a turn of 1 to 8784 hours`,
		`teams[0].rotations[0].days[0]: "monday" is not one of sun, mon, tue, wed, thu, fri, sat`,
		`teams[0].rotations[0].to: "" is not a time of day such as "06:00"`,
		`teams[0].overrides[0]: ends before it begins`,
		`routes[0].area: "/HSM" is not the path of an asset such as "HSM/FM"`,
		`routes[0].classes[0]: "red" is not one of advisory, alarm, sensor, system, plc`,
		`routes[0].priority: 5 is not a priority from 1 to 4`,
		`routes[0].repeat: -1: 0 to 20`,
		`routes[0].steps: is empty: a route that tells nobody is muted`,
		`routes[1].id: "r" stands here twice`,
		`routes[1].steps[0].wait_s: the first step goes at once: 0`,
		`routes[1].steps[0].teams[0]: there is no team "t"`,
		`routes[1].steps[0].channels[0]: "fax" is not one of mail, sms, ntfy, webhook`,
		`routes[1].steps[1]: names neither teams nor people`,
		`routes[2]: a muted route has no steps`,
	}
	got := f.Faults()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing %s", want[i])
		case i >= len(want):
			t.Errorf("beyond: %s", got[i])
		case got[i] != want[i]:
			t.Errorf("fault %d\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

func TestCode(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got, ok := code(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", text, got, ok, want)
		}
	}
	f("42", "42")
	f(" 07.\r\n", "07")
	f("ACK 42", "42")
	f("OK, 42!", "42")
	f("۴۲", "42")
	f("٤٢", "42")
	f("اوکے ۴۲", "42")
	f("جی ہاں 42", "42")
	f("Да 42", "42")
	f("ПРИНЯЛ 42", "42")
	f("42 ok", "42")
	f("Reply 42", "42")
	f("ok 42 👍", "42")
	f("👍🏽42", "42")
	f("42 👨‍🔧❤️", "42")
	f("4️⃣2️⃣", "42")
	f("", "")
	f("👍", "")
	f("ok", "")
	f("4", "")
	f("420", "")
	f("4 2", "")
	f("42 43", "")
	f("call me at 42", "")
	f("no 42", "")
	f("x42", "")
	f("42°", "")
}

func TestPhone(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := phone(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	f("+923001234567", "+923001234567")
	f("923001234567", "+923001234567")
	f("0092 300 123-4567", "+923001234567")
	f("+۹۲۳۰۰۱۲۳۴۵۶۷", "+923001234567")
	f("+92+300", "")
	f("Info", "")
	f("", "")
}

func FuzzCode(f *testing.F) {
	for _, s := range []string{"42", "ACK 42", "۴۲ ok", "\u200e42", "4\xff2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := code(s)
		if ok != (len(c) == 2) || ok && (c[0] < '0' || c[0] > '9' || c[1] < '0' || c[1] > '9') {
			t.Errorf("%q: %q %v", s, c, ok)
		}
		if p := phone(s); p != "" && p[0] != '+' {
			t.Errorf("%q: %q", s, p)
		}
	})
}

func TestRouteAndTargets(t *testing.T) {
	person := func(id string, contacts ...plant.Contact) plant.Person {
		return plant.Person{ID: id, Name: id, Language: "en", Contacts: contacts}
	}
	mail, sms := plant.Contact{Channel: "mail", Address: "a@b"}, plant.Contact{Channel: "sms", Address: "+923001234567"}
	r, err := read(plant.Roster{
		People: []plant.Person{person("a", mail, sms), person("b", sms), person("c", mail)},
		Teams: []plant.Team{{ID: "t", Name: "T", Zone: "UTC", Rotations: []plant.Rotation{
			{People: []string{"a"}, Start: "2026-01-01T00:00", Hours: 24},
			{People: []string{"b"}, Start: "2026-01-01T00:00", Hours: 24}}}},
		Routes: []plant.Route{
			{ID: "mute", Area: "HSM/FM", Classes: []plant.Class{plant.SensorFault}, Mute: true},
			{ID: "urgent", Area: "HSM", Priority: 2, Steps: []plant.Step{
				{Teams: []string{"t"}, Channels: []string{"sms"}},
				{Teams: []string{"t"}, People: []string{"c"}, Channels: []string{"sms"}},
				{Teams: []string{"t"}, People: []string{"b"}, Channels: []string{"mail", "sms"}}}},
			{ID: "rest", Steps: []plant.Step{{People: []string{"c"}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(asset string, class plant.Class, priority int, want string) {
		t.Helper()
		rt := r.route(&plant.Alarm{Finding: plant.Finding{Asset: asset, Class: class, Priority: priority}})
		if rt.ID != want {
			t.Errorf("%s %s P%d: %s, want %s", asset, class, priority, rt.ID, want)
		}
	}
	f("HSM/FM", plant.SensorFault, 1, "mute")
	f("HSM/FM/F3", plant.SensorFault, 1, "mute")
	f("HSM/FM2", plant.SensorFault, 1, "urgent")
	f("HSM", plant.LimitAlarm, 2, "urgent")
	f("HSM", plant.LimitAlarm, 3, "rest")
	f("HSMX", plant.LimitAlarm, 1, "rest")
	f("HSM/FM", plant.Advisory, 0, "rest")

	all := func(string) bool { return true }
	told := func(step int, able func(string) bool) (out []string) {
		for _, x := range r.targets(&r.Routes[1], step, mustTime(t, "2026-06-01T00:00:00Z"), able) {
			out = append(out, x.person.ID+" "+x.contact.Channel)
		}
		return out
	}
	g := func(step int, able func(string) bool, want ...string) {
		t.Helper()
		if got := told(step, able); !reflect.DeepEqual(got, want) {
			t.Errorf("step %d: %q, want %q", step, got, want)
		}
	}
	g(0, all, "a sms")
	g(1, all, "b sms", "c mail")
	g(2, all, "b sms")
	g(0, func(kind string) bool { return kind == "mail" }, "a mail")
	g(1, func(kind string) bool { return kind == "mail" }, "c mail")
}

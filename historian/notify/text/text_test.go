package text

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
	"unicode/utf8"

	"millwright/historian/notify/text/gsm7"
	"millwright/plant"
)

var update = flag.Bool("update", false, "write the golden files")

var languages = map[string]*language{plant.English: &english, plant.Urdu: &urdu, plant.Russian: &russian}

// constants reads the names of a type's constants from the source, so that no
// list of keys has to be kept by hand.
func constants(t *testing.T, file, typ string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := v.Type.(*ast.Ident); !ok || id.Name != typ {
			return true
		}
		for _, x := range v.Values {
			s, err := strconv.Unquote(x.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		return true
	})
	return out
}

// kinds are those of package plant, read from its source.
func kinds(t *testing.T) []string {
	t.Helper()
	src, err := os.ReadFile("../../../plant/finding.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^\tKind\w+\s*= "([^"]+)"`).FindAllSubmatch(src, -1) {
		out = append(out, string(m[1]))
	}
	if len(out) < 16 {
		t.Fatalf("only %d kinds were found", len(out))
	}
	return out
}

var holes = regexp.MustCompile(`\{\w+\}`)

func holesOf(s string) string {
	list := holes.FindAllString(s, -1)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Every key stands in every language, with the same holes, and nothing else.
func TestComplete(t *testing.T) {
	phrases := constants(t, "language.go", "phrase")
	nouns := constants(t, "language.go", "noun")
	topics := slices.Sorted(maps.Keys(english.advice))
	for _, s := range constants(t, "advice.go", "topic") {
		if !slices.Contains(topics, topic(s)) {
			t.Errorf("no advice for %q", s)
		}
	}
	if len(phrases) < 50 || len(nouns) != 4 || len(topics) < 29 {
		t.Fatalf("%d phrases, %d nouns, %d topics", len(phrases), len(nouns), len(topics))
	}
	for code, l := range languages {
		for _, p := range phrases {
			if l.phrases[phrase(p)] == "" {
				t.Errorf("%s lacks the phrase %q", code, p)
			}
			if got, want := holesOf(l.phrases[phrase(p)]), holesOf(english.phrases[phrase(p)]); got != want {
				t.Errorf("%s: %q has %s, English has %s", code, p, got, want)
			}
		}
		for _, n := range nouns {
			for form, s := range l.nouns[noun(n)] {
				if holesOf(s) != "{n}" {
					t.Errorf("%s: form %d of %q is %q", code, form, n, s)
				}
			}
		}
		for _, k := range kinds(t) {
			if l.kinds[k] == "" {
				t.Errorf("%s lacks the kind %q", code, k)
			}
		}
		for _, d := range []string{"high", "low", "noisy", "frozen"} {
			if l.direction[d] == "" {
				t.Errorf("%s lacks the direction %q", code, d)
			}
		}
		for _, k := range topics {
			if a := l.advice[k]; a.cause == "" || a.first == "" || a.short == "" {
				t.Errorf("%s lacks advice for %q", code, k)
			} else if utf8.RuneCountInString(a.short) > 40 {
				t.Errorf("%s: the short advice for %q is long: %q", code, k, a.short)
			}
		}
		for _, s := range l.months {
			if s == "" {
				t.Errorf("%s lacks a month", code)
			}
		}
		if len(l.phrases) != len(phrases) || len(l.nouns) != len(nouns) || len(l.advice) != len(topics) || len(l.kinds) != len(kinds(t)) || len(l.direction) != 4 {
			t.Errorf("%s has keys that nobody asks for", code)
		}
		if slices.Contains(l.urgency[:], "") || l.decimal == "" || l.comma == "" || l.stop == "" {
			t.Errorf("%s is not whole", code)
		}
	}
}

// The English texts of an SMS keep to its alphabet, and each language's file
// says that it waits for its reviewer.
func TestMarks(t *testing.T) {
	for p, s := range english.phrases {
		if !strings.HasPrefix(string(p), "sms-") {
			continue
		}
		if _, ok := gsm7.Septets(s); !ok {
			t.Errorf("%s: %q is not in the 7-bit alphabet", p, s)
		}
	}
	for k, a := range english.advice {
		for _, s := range []string{a.short, a.cause} {
			if _, ok := gsm7.Septets(s); !ok {
				t.Errorf("%s: %q is not in the 7-bit alphabet", k, s)
			}
		}
	}
	for code := range languages {
		src, err := os.ReadFile(code + ".go")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(src), "// Drafted by engineers; to be reviewed by a native speaker of ") {
			t.Errorf("%s.go does not say who has to review it", code)
		}
	}
}

func at(s string) int64 {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, karachi)
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

var karachi = func() *time.Location {
	l, err := time.LoadLocation("Asia/Karachi")
	if err != nil {
		panic(err)
	}
	return l
}()

func limitAlarm() plant.Alarm {
	return plant.Alarm{ID: 12, State: plant.Unacked, Raised: at("2026-11-30 02:48"), Count: 1, Finding: plant.Finding{
		Asset: "HSM/FM/F3/GBX", Kind: plant.KindHighHigh, Class: plant.LimitAlarm, Tag: "HSM/FM/F3/GBX/VIB_H",
		Value: 6.213, Limit: 5.6, Unit: "mm/s", Priority: 1}}
}

func anomaly() plant.Alarm {
	return plant.Alarm{ID: 13, State: plant.Unacked, Raised: at("2026-11-29 22:05"), Count: 12, Finding: plant.Finding{
		Asset: "HSM/FM/F3/GBX", Kind: plant.KindAnomaly, Class: plant.Advisory, Priority: 2, Score: 0.71, Limit: 0.55,
		Contributions: []plant.Contribution{
			{Tag: "HSM/FM/F3/GBX/VIB_ENV", Share: 0.62, Value: 14.23, Expected: 6.1, Direction: "high", Unit: "dB"},
			{Tag: "HSM/FM/F3/GBX/ACC_RMS", Share: 0.21, Value: 18.4, Expected: 15.2, Direction: "noisy", Unit: "m/s²"},
			{Tag: "HSM/FM/F3/GBX/OIL_P", Share: 0.11, Value: 1.8, Expected: 2.4, Direction: "low", Unit: "bar"},
			{Tag: "HSM/FM/F3/GBX/OIL_T", Share: 0.06, Value: 62, Expected: 60, Direction: "high", Unit: "°C"}}}}
}

func other(kind, asset, tag, unit string, value, limit float64, priority int, state plant.AlarmState) plant.Alarm {
	a := plant.Alarm{State: state, Raised: at("2026-11-30 02:51"), Finding: plant.Finding{Asset: asset, Kind: kind, Priority: priority, Value: value, Limit: limit, Unit: unit}}
	if tag != "" {
		a.Finding.Tag = asset + "/" + tag
	}
	if state == plant.Acked {
		a.AckedBy = "Bilal Ahmed"
	}
	return a
}

const (
	gbxName = "Finishing stand F3, drive and gearbox"
	link    = "http://plant.works.local:8080/ack/q8Zr3vJmTnC2yKxW5bL9pA"
)

var scenes = map[string]Context{
	"limit":   {Purpose: plant.PurposeAlarm, Alarm: limitAlarm(), AssetName: gbxName, AssetClass: "gearbox", Link: link, Code: "47"},
	"anomaly": {Purpose: plant.PurposeAlarm, Alarm: anomaly(), AssetName: gbxName, AssetClass: "gearbox", Link: link, Code: "47", Step: 1},
	"joined": {Purpose: plant.PurposeAlarm, Alarm: limitAlarm(), AssetName: gbxName, AssetClass: "gearbox", Link: link, Code: "47",
		Others: []plant.Alarm{other(plant.KindHigh, "HSM/FM/F3/GBX", "OIL_T", "°C", 71.4, 70, 2, plant.Unacked)}},
	"sensor": {Purpose: plant.PurposeAlarm, AssetName: "Descaling pump 1", AssetClass: "pump", Link: link, Code: "08",
		Alarm: other(plant.KindStuck, "HSM/DSC/P1", "P_SUC", "bar", -0.35, 0, 3, plant.Unacked)},
	"plc": {Purpose: plant.PurposeAlarm, Alarm: other(plant.KindPLC, "hsm-edge-1/plc1", "", "", 0, 0, 2, plant.Unacked), Link: link, Code: "31"},
	"plcalarm": {Purpose: plant.PurposeAlarm, Link: link, Code: "31", Alarm: plant.Alarm{ID: 14, State: plant.Unacked, Raised: at("2026-11-30 02:48"), Count: 1,
		Finding: plant.Finding{Asset: "HSM/DSC/P1", Kind: plant.KindPLCAlarm, Class: plant.PLCAlarm, Priority: 2, Text: "ٹینک 3 میں تیل کم ہے (LT-301)", Condition: "Tank3 / OilLow"}}},
	"more": {Purpose: plant.PurposeMore, Alarm: limitAlarm(), AssetName: gbxName, AssetClass: "gearbox", Link: link, Code: "47", Others: []plant.Alarm{
		other(plant.KindHigh, "HSM/FM/F3/GBX", "OIL_T", "°C", 71.4, 70, 2, plant.Unacked),
		other(plant.KindLow, "HSM/FM/F3/GBX", "OIL_P", "bar", 1.2, 1.5, 2, plant.Unacked)}},
	"return": {Purpose: plant.PurposeReturn, AssetName: gbxName, Link: link, Alarm: func() plant.Alarm {
		a := limitAlarm()
		a.State, a.Returned, a.AckedBy = plant.Cleared, at("2026-11-30 02:59"), "Bilal Ahmed"
		return a
	}()},
	"digest": {Purpose: plant.PurposeDigest, Held: 14, Link: link, Others: []plant.Alarm{
		other(plant.KindHigh, "HSM/FM/F3/GBX", "OIL_T", "°C", 71.4, 70, 2, plant.Acked),
		other(plant.KindLow, "HSM/DSC/P1", "P_SUC", "bar", 0.4, 0.8, 2, plant.Unacked),
		other(plant.KindSpike, "BOF/C1/FAN", "CO", "%", 87, 0, 3, plant.Cleared)}},
	"test":      {Purpose: plant.PurposeTest},
	"heartbeat": {Purpose: plant.PurposeHeartbeat},
	"ok":        {Purpose: ReplyOK, Alarm: limitAlarm()},
	"unknown":   {Purpose: ReplyUnknown, Code: "99"},
}

// The messages as people get them. Look at them when they change.
func TestGolden(t *testing.T) {
	for name, c := range scenes {
		for code := range languages {
			c.Language, c.Zone, c.Now = code, karachi, at("2026-11-30 03:02")
			c.Channel = "mail"
			subject, body := Write(c)
			c.Channel = "sms"
			_, sms := Write(c)
			cost := fmt.Sprintf("%d UTF-16 units", gsm7.Units(sms))
			if n, ok := gsm7.Septets(sms); ok {
				cost = fmt.Sprintf("%d septets", n)
			}
			got := subject + "\n\n" + body + "\n\n-- sms, " + cost + "\n" + sms + "\n"
			golden := filepath.Join("testdata", name+"."+code+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s:\n got:\n%s\n want:\n%s", golden, got, want)
			}
		}
	}
}

// TestSaysWhatItMust holds each purpose's long text to what a crew needs of it, in
// every language: the label and something behind it, and the link as the last line.
// Why an alarm came is the tags that tell of it, where a model found it, and else the
// common cause. What has joined a message is listed, each alarm with its time.
func TestSaysWhatItMust(t *testing.T) {
	needs := map[string][]phrase{
		plant.PurposeAlarm:  {labelWhere, labelWhat, labelSince, labelCause, labelFirst, labelRespond, labelAck},
		plant.PurposeMore:   {labelWhere, labelWhat, labelFirst, labelRespond, labelAck},
		plant.PurposeReturn: {labelWhere, labelWhat, labelWhen},
		plant.PurposeDigest: {labelOpen},
	}
	told := map[string]int{}
	for name, c := range scenes {
		for code, l := range languages {
			c.Language, c.Zone, c.Now, c.Channel = code, karachi, at("2026-11-30 03:02"), "mail"
			_, body := Write(c)
			lines := strings.Split(body, "\n")
			says := func(p phrase) bool {
				return slices.ContainsFunc(lines, func(line string) bool {
					text, ok := strings.CutPrefix(strings.TrimPrefix(line, "\u200f"), l.phrases[p]+":")
					return ok && (p == labelAck || p == labelOpen || strings.TrimSpace(text) != "")
				})
			}
			for _, p := range needs[c.Purpose] {
				if !says(p) {
					t.Errorf("%s.%s lacks %q:\n%s", name, code, l.phrases[p], body)
				}
			}
			if needs[c.Purpose] == nil {
				continue
			}
			told[c.Purpose]++
			if lines[len(lines)-1] != c.Link {
				t.Errorf("%s.%s ends with %q, not with the link", name, code, lines[len(lines)-1])
			}
			for _, f := range c.Alarm.Finding.Contributions[:min(3, len(c.Alarm.Finding.Contributions))] {
				if !strings.Contains(body, "\n\u200f"+l.phrases[labelWhy]+":\n") && !strings.Contains(body, "\n"+l.phrases[labelWhy]+":\n") || !strings.Contains(body, last(f.Tag)) {
					t.Errorf("%s.%s does not say why: %s", name, code, f.Tag)
				}
			}
			for _, a := range c.Others {
				if !strings.Contains(body, time.Unix(0, a.Raised).In(karachi).Format("15:04")) {
					t.Errorf("%s.%s does not say since when %s is", name, code, a.Finding.Kind)
				}
			}
		}
	}
	for purpose := range needs {
		if told[purpose] < len(languages) {
			t.Errorf("no scene of %s in %d languages", purpose, len(languages))
		}
	}
}

// The manual shows a message as it is.
func TestManual(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/limit.en.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, sms, _ := strings.Cut(string(golden), "-- sms, ")
	cost, sms, _ := strings.Cut(sms, " septets\n")
	flat := strings.Join(strings.Fields(string(manual)), " ")
	for _, want := range []string{strings.TrimSpace(sms), "an SMS of " + cost + " characters"} {
		if !strings.Contains(flat, want) {
			t.Errorf("docs/alerts.md lacks %q", want)
		}
	}
}

var swapped = regexp.MustCompile(`[A-Za-z%]، [0-9]`)

// Whatever is found, on whatever machine, in whatever language: an SMS costs no
// more than its budget and says the priority, the asset and the code.
func TestBudget(t *testing.T) {
	long(t)
	assets := []string{"HSM/FM/F3/GBX", "A", "WORKS/HOT-STRIP-MILL/FINISHING-MILL/STAND-F3/MAIN-DRIVE/GEARBOX-1", strings.Repeat("VERY-LONG/", 18) + "GBX"}
	names := []string{"", gbxName, "Клеть F3, редуктор главного привода", "فنشنگ اسٹینڈ F3 گیئر باکس", strings.Repeat("long ", 60)}
	units := []string{"mm/s", "m/s²", "°C", "bar", "m³/h", "kN·m", "r/min", "1", "µm", "%"}
	links := []string{"", link, "https://millwright.hot-strip-mill.works.example:8443/ack/" + strings.Repeat("x", 60)}
	all := append(kinds(t), "model.from-the-future", "")
	n, most := 0, map[string]int{}
	for code := range languages {
		for _, kind := range all {
			for _, class := range []string{"gearbox", "pump", "fan", "motor", "bench", ""} {
				for i, unit := range units {
					for j, asset := range assets {
						for k, purpose := range []string{plant.PurposeAlarm, plant.PurposeMore, plant.PurposeReturn, plant.PurposeDigest, plant.PurposeTest, plant.PurposeHeartbeat, ReplyOK, ReplyUnknown} {
							if purpose != plant.PurposeAlarm && class != "gearbox" {
								continue // the class only matters to the advice
							}
							a := plant.Alarm{State: plant.Unacked, Raised: at("2025-09-28 21:47"), Returned: at("2026-11-30 01:00"), Count: 12345, AckedBy: strings.Repeat("Name ", 30),
								Finding: plant.Finding{Asset: asset, Kind: kind, Value: -123456.789, Limit: -123456.788, Unit: unit, Priority: 1 + i%4}}
							if i%2 == 0 {
								a.Finding.Tag = asset + "/VIBRATION_VELOCITY_DRIVE_END_HORIZONTAL"
							} else {
								a.Finding.Contributions = []plant.Contribution{{Tag: asset + "/OIL_PRESSURE_AFTER_FILTER", Value: 1e9, Expected: -1e-9, Direction: []string{"high", "low", "noisy", "frozen", "odd"}[n%5], Unit: unit, Share: 1}}
							}
							c := Context{Purpose: purpose, Channel: "sms", Language: code, Alarm: a, AssetName: names[(i+j)%len(names)], AssetClass: class,
								Held: 4711, Now: at("2026-11-30 03:02"), Zone: karachi, Link: links[(j+k)%len(links)], Code: "47", Step: 3}
							if purpose == plant.PurposeMore || purpose == plant.PurposeDigest || i == 3 {
								c.Others = slices.Repeat([]plant.Alarm{a}, 40)
							}
							subject, s := Write(c)
							n++
							if subject != "" || s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\n{}") {
								t.Fatalf("subject %q, text %q", subject, s)
							}
							if septets, ok := gsm7.Septets(s); ok {
								if septets > gsm7.One {
									t.Fatalf("%d septets: %s", septets, s)
								}
								most[code+" septets"] = max(most[code+" septets"], septets)
							} else if u := gsm7.Units(s); u > gsm7.TwoWides {
								t.Fatalf("%d units: %s", u, s)
							} else {
								most[code+" units"] = max(most[code+" units"], u)
								if code == plant.English && purpose != plant.PurposeTest {
									t.Fatalf("English in UCS-2: %s", s)
								}
							}
							if strings.ContainsAny(s, "\u2066\u2067\u2068\u2069\u200e") && !strings.Contains(s, "\u200e-") {
								t.Fatalf("isolates take room: %q", s)
							}
							if code == plant.Urdu && swapped.MatchString(s) {
								t.Fatalf("a number joins the words before it: %s", s)
							}
							if purpose == plant.PurposeAlarm || purpose == plant.PurposeMore {
								if !strings.Contains(s, "P"+strconv.Itoa(1+i%4)+" ") || !strings.Contains(s, "47") {
									t.Fatalf("priority or code is missing: %s", s)
								}
								want := asset
								if len(want) > 70 {
									want = "/GBX" // the end says most
								}
								if !strings.Contains(s, want) {
									t.Fatalf("asset is missing: %s", s)
								}
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d messages, at most %v", n, most)
}

// A long text is whole too, whatever it is about: no hole left, the link bare
// and last, in Urdu each line marked.
func TestLong(t *testing.T) {
	for code := range languages {
		for _, kind := range append(kinds(t), "model.from-the-future") {
			for name, c := range scenes {
				c.Alarm.Finding.Kind = kind
				c.Language, c.Zone, c.Now, c.Channel, c.Link = code, karachi, at("2026-11-30 03:02"), "mail", link
				subject, body := Write(c)
				if subject == "" || strings.Contains(subject, "\n") || holes.MatchString(subject+body) {
					t.Fatalf("%s: %q\n%s", name, subject, body)
				}
				lines := strings.Split(body, "\n")
				if lines[len(lines)-1] != link || !strings.HasSuffix(lines[len(lines)-2], ":") {
					t.Fatalf("%s: the link is not the last line:\n%s", name, body)
				}
				for _, line := range lines[:len(lines)-1] {
					if code == plant.Urdu && line != "" && !strings.HasPrefix(line, "\u200f") {
						t.Fatalf("%s: a line without direction: %q", name, line)
					}
					if strings.Count(line, "\u2066")+strings.Count(line, "\u2068") != strings.Count(line, "\u2069") {
						t.Fatalf("%s: an isolate stays open: %q", name, line)
					}
					if code != plant.Urdu && strings.ContainsAny(line, "\u2066\u2068\u2069\u200f") {
						t.Fatalf("%s: marks in %s: %q", name, code, line)
					}
				}
			}
		}
	}
}

// Words from outside cannot break a line, forge a link or turn the text.
func TestHostile(t *testing.T) {
	a := limitAlarm()
	a.Finding.Asset = "HSM\r\nBcc: all@works"
	a.Finding.Tag = "HSM/\u202eX\u2069\u2028http://evil/"
	a.Finding.Unit = "{code}\x00\x1b[2J"
	a.AckedBy = "A\nB"
	for code := range languages {
		for _, channel := range []string{"mail", "sms"} {
			subject, body := Write(Context{Purpose: plant.PurposeAlarm, Channel: channel, Language: code, Alarm: a, AssetName: "{asset}\n\xff\u2067", Now: a.Raised, Code: "1\n2"})
			if strings.ContainsAny(subject+body, "\r\x00\x1b\u202e\u2028\u2067") || !utf8.ValidString(subject+body) || strings.Contains(subject, "\n") {
				t.Errorf("%s %s: %q %q", code, channel, subject, body)
			}
			if channel == "mail" && !strings.Contains(body, "{asset}") {
				t.Errorf("%s: a name that looks like a hole was filled:\n%s", code, body)
			}
			for line := range strings.Lines(body) {
				if strings.HasPrefix(line, "http") || strings.HasPrefix(line, "Bcc") {
					t.Errorf("%s: forged line %q", code, line)
				}
			}
		}
	}
}

func TestPlurals(t *testing.T) {
	f := func(n int, want string) {
		t.Helper()
		if got := russian.count(nounAlarms, n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(0, "0 тревог")
	f(1, "1 тревога")
	f(2, "2 тревоги")
	f(4, "4 тревоги")
	f(5, "5 тревог")
	f(11, "11 тревог")
	f(12, "12 тревог")
	f(14, "14 тревог")
	f(21, "21 тревога")
	f(22, "22 тревоги")
	f(111, "111 тревог")
	f(121, "121 тревога")
	if got := english.count(nounTimes, 1) + ", " + english.count(nounTimes, 2); got != "raised 1 time, raised 2 times" {
		t.Error(got)
	}
	if got := urdu.count(nounMessages, 1) + ", " + urdu.count(nounMessages, 2); got != "1 پیغام, 2 پیغامات" {
		t.Error(got)
	}
}

func TestNumbers(t *testing.T) {
	en, ru := &writer{l: &english}, &writer{l: &russian}
	f := func(v float64, want string) {
		t.Helper()
		if got := en.number(v, v, 0); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
	f(0, "0")
	f(6.213, "6.21")
	f(5.6, "5.6")
	f(-0.0004, "-0.0004")
	f(0.0123, "0.012")
	f(123.46, "123.5")
	f(12345.6, "12346")
	f(1200, "1200")
	f(2.5e12, "2.5e+12")
	if got := ru.quantity(6.213, "mm/s"); got != "6,21 mm/s" {
		t.Error(got)
	}
	if a, b := en.pair(5.6004, 5.6, "mm/s"); a != "5.6004 mm/s" || b != "5.6 mm/s" {
		t.Error(a, b)
	}
	if a, b := en.pair(4.17, 0.000781, "bar"); a != "4.17 bar" || b != "0 bar" {
		t.Error(a, b)
	}
	if a, b := en.pair(math.NaN(), 4.171, "bar"); a != "? bar" || b != "4.17 bar" {
		t.Error(a, b)
	}
	if got := en.quantity(12, "1"); got != "12" {
		t.Error(got)
	}
	if got := (&writer{l: &english, short: true}).quantity(71.4, "m³/h"); got != "71.4 m3/h" {
		t.Error(got)
	}
	if got := (&writer{l: &urdu}).quantity(-71.4, "°C"); got != "\u2066-71.4 °C\u2069" {
		t.Errorf("%q", got)
	}
	if got := (&writer{l: &urdu, short: true}).quantity(-0.35, "bar"); got != "\u200e-0.35bar" {
		t.Errorf("%q", got)
	}
}

func TestTimes(t *testing.T) {
	w := &writer{Context: Context{Now: at("2026-11-30 03:02")}, l: &english, zone: karachi}
	clock := func(when, want string) {
		t.Helper()
		if got := w.clock(at(when)); got != want {
			t.Errorf("%s is written %q, want %q", when, got, want)
		}
	}
	clock("2026-11-30 23:59", "23:59") // not 11:59
	clock("2026-11-30 00:00", "00:00")
	clock("2026-11-29 23:59", "29 Nov 23:59")
	clock("2025-11-30 03:02", "30 Nov 2025 03:02")
	w.zone = time.UTC
	clock("2026-11-30 03:02", "22:02") // 5 hours west of Karachi
	span := func(d time.Duration, want string) {
		t.Helper()
		if got := w.span(int64(d)); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
	span(-time.Hour, "just now")
	span(59*time.Second, "just now")
	span(14*time.Minute, "14 min")
	span(time.Hour, "1 h")
	span(5*time.Hour+7*time.Minute, "5 h 7 min")
	span(24*time.Hour, "1 d")
	span(51*time.Hour, "2 d 3 h")
}

// The time to respond runs from the raise, by priority, unless it is given.
func TestRespondBy(t *testing.T) {
	f := func(priority int, raised, given, want string) {
		t.Helper()
		w := &writer{Context: Context{Now: at("2026-11-30 03:02"), Alarm: plant.Alarm{Raised: at(raised), Finding: plant.Finding{Priority: priority}}}, l: &english, zone: karachi}
		if given != "" {
			w.RespondBy = at(given)
		}
		if got := w.deadline(); got != want {
			t.Errorf("P%d raised %s: %q, want %q", priority, raised, got, want)
		}
	}
	f(1, "2026-11-30 03:00", "", "03:15")
	f(1, "2026-11-30 02:30", "", "02:45 – overdue")
	f(2, "2026-11-30 03:00", "", "04:00")
	f(3, "2026-11-29 20:00", "", "04:00")
	f(4, "2026-11-29 20:00", "", "Next planned stop")
	f(4, "2026-11-29 20:00", "2026-11-30 06:00", "06:00")
	f(1, "2026-11-30 09:00", "", "03:17") // a clock that is ahead gives nobody more time
}

func TestAdvice(t *testing.T) {
	f := func(kind, unit, tag, class string, want topic) {
		t.Helper()
		got := english.advise(&plant.Finding{Kind: kind, Unit: unit, Tag: tag}, class)
		if got != english.advice[want] {
			t.Errorf("%s %s %s %s: %+v", kind, unit, tag, class, got)
		}
	}
	f(plant.KindHigh, "mm/s", "A/VIB_H", "gearbox", vibration+"/gearbox")
	f(plant.KindHigh, "mm/s", "A/VIB_H", "Centrifugal pump", vibration+"/pump")
	f(plant.KindHigh, "mm/s", "A/VIB_H", "crane", vibration)
	f(plant.KindHigh, "1", "A/VIB_KURT", "fan", vibration+"/fan")
	f(plant.KindRate, "°C/s", "A/T", "motor", temperature+"/motor")
	f(plant.KindLow, "°C", "A/T", "motor", anything)
	f(plant.KindLowLow, "bar", "A/P", "gearbox", pressureLow+"/gearbox")
	f(plant.KindHigh, "bar", "A/P", "gearbox", pressureUp)
	f(plant.KindLow, "l/min", "A/F", "fan", flowLow)
	f(plant.KindHigh, "kN·m", "A/M", "gearbox", loadHigh)
	f(plant.KindHigh, "lx", "A/L", "", anything)
	f(plant.KindStuck, "mm/s", "A/VIB_H", "gearbox", plant.KindStuck)
	f(plant.KindPLC, "", "", "", plant.KindPLC)
	f("system.unheard", "", "", "", anything)
	f("model.unheard", "", "", "", anything)
	for d, want := range map[string]topic{"high": pressureUp, "low": pressureLow + "/pump", "frozen": plant.KindStuck} {
		got := english.advise(&plant.Finding{Kind: plant.KindAnomaly, Contributions: []plant.Contribution{{Tag: "A/P", Unit: "bar", Direction: d}}}, "pump")
		if got != english.advice[want] {
			t.Errorf("%s: %+v", d, got)
		}
	}
}

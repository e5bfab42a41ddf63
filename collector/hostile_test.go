package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// pumpOf is a pump without a connection, in the middle of a subscription.
func pumpOf(t testing.TB, s *Source, next uint32) (*pump, *store) {
	t.Helper()
	s.URL = "opc.tcp://127.0.0.1:1"
	out := newStore(s)
	e, err := newEngine(s, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	e.sub = subscription{id: 7, publishing: DefaultPublishing, keepAlive: 20}
	e.seq = newSequencer(next)
	return &pump{engine: e, link: &link{channel: &channel{}, session: &session{}, limits: e.limits}, answers: make(chan answer, 100)}, out
}

func published(m message) answer {
	return answer{kind: gotPublish, publish: &ua.PublishResponse{SubscriptionID: 7, NotificationMessage: m.NotificationMessage}, at: m.at}
}

// TestNumbersGoBack: a server that begins to count its notifications anew is not
// taken for one that sends old ones again for ever, with its values lost and
// nothing said.
func TestNumbersGoBack(t *testing.T) {
	for name, number := range map[string]func(i int) uint32{
		"anew": func(i int) uint32 { return uint32(1 + i) },
		"zero": func(int) uint32 { return 0 },
		"far":  func(i int) uint32 { return 1<<31 + 600 + uint32(i) },
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := pumpOf(t, &Source{Name: "PLC", Log: logger(t), Tags: []plant.Tag{{ID: 1, Path: "T"}}}, 500)
			begin := time.Now()
			for i := range 100 {
				m := dataChange(number(i), value(1, float64(i), 0, begin.Add(time.Duration(i)*time.Second)))
				m.PublishTime = begin.Add(time.Duration(i) * time.Second)
				if err := p.published(context.Background(), published(m)); err != nil {
					if p.classify(err); !errors.Is(err, errNumbers) || p.sub.id != 0 || p.mute != 7 {
						t.Errorf("%v, subscription %d, mute %d", err, p.sub.id, p.mute)
					}
					return
				}
			}
			t.Errorf("100 notifications were dropped, state %q", p.src.Status().State)
		})
	}
}

// TestLateNumbers: answers that are late, or come twice, are no reason to make a
// subscription anew.
func TestLateNumbers(t *testing.T) {
	p, _ := pumpOf(t, &Source{Name: "PLC", Log: logger(t), Tags: []plant.Tag{{ID: 1, Path: "T"}}}, 1)
	begin := time.Now()
	for i := range uint32(100) {
		for _, n := range []uint32{i + 1, i/2 + 1} {
			m := dataChange(n, value(1, float64(n), 0, begin.Add(time.Duration(n)*time.Second)))
			m.PublishTime = begin.Add(time.Duration(n) * time.Second)
			if err := p.published(context.Background(), published(m)); err != nil {
				t.Fatal(i, n, err)
			}
		}
	}
}

// TestSpan: a range that says nothing gives no deadband in percent, which would
// hold every value back.
func TestSpan(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, r := range []ua.Range{{Low: 0, High: inf}, {Low: -inf, High: 0}, {Low: -inf, High: inf}, {Low: nan, High: 1}, {Low: 0, High: nan}, {Low: 5, High: 5}, {Low: 5, High: 1},
		{Low: -math.MaxFloat64, High: math.MaxFloat64}, {Low: -math.MaxFloat32, High: math.MaxFloat32}} {
		if span := spanOf(&r); span != 0 {
			t.Errorf("%v has the span %v", r, span)
		}
	}
	if span := spanOf(&ua.Range{Low: -50, High: 150}); span != 200 {
		t.Error(span)
	}
}

// TestImpossibleTimes: the clock of a server may stand anywhere.
func TestImpossibleTimes(t *testing.T) {
	now := time.Now().UnixNano()
	for _, year := range []int{1, 1601, 1969, 2200, 2262, 2554, 2611, 9999} {
		at := time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		if n := instant(at); n != 0 {
			t.Errorf("year %d is %d ns", year, n)
		}
		if got := sourceTime(&ua.DataValue{SourceTimestamp: at}, now); got != plant.Millis(now) {
			t.Errorf("a value of the year %d is of %v", year, time.Unix(0, got))
		}
		p, _ := pumpOf(t, &Source{Name: "PLC", Log: logger(t), Tags: []plant.Tag{{ID: 1, Path: "T"}}}, 1)
		m := dataChange(1, value(1, 1.0, 0, time.Now()))
		m.PublishTime, m.at = at, now
		if err := p.published(t.Context(), published(m)); err != nil || p.newest != 0 {
			t.Errorf("year %d: newest %d, %v", year, p.newest, err)
		}
	}
}

// TestEntangledTypes: types that need each other in many places and cannot be read
// are looked at once each.
func TestEntangledTypes(t *testing.T) {
	const deep = 60
	node := func(i int) *ua.NodeID { return ua.NewNumericNodeID(2, uint32(i)) }
	d := &dictionary{nodes: map[string]*dataType{}, built: map[string]*structure{}, types: structures{}}
	for i := range deep {
		s := &ua.StructureDefinition{StructureType: ua.StructureTypeStructureWithSubtypedValues}
		for range 3 {
			s.Fields = append(s.Fields, &ua.StructureField{Name: "F", DataType: node(i + 1), IsOptional: true, ValueRank: -1})
		}
		s.Fields = append(s.Fields, &ua.StructureField{Name: "Bad", DataType: node(9999)})
		d.nodes[node(i).String()] = &dataType{id: node(i), name: fmt.Sprint(i), definition: s, super: ua.NewNumericNodeID(0, id.Structure)}
	}
	d.nodes[node(deep).String()] = &dataType{id: node(deep), super: ua.NewNumericNodeID(0, id.Structure)}
	done := make(chan error, 1)
	go func() {
		_, err := d.build(node(0))
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "Bad") {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it does not end")
	}
	if _, again := d.build(node(0)); again == nil {
		t.Error("the second time it is a structure")
	}
}

// TestStrangersFlood: a server that sends notifications of a subscription that is
// not ours is asked to delete it, but not for each of them.
func TestStrangersFlood(t *testing.T) {
	log, said := listen(t)
	p, _ := pumpOf(t, &Source{Name: "PLC", Log: log}, 1)
	busy := &pace{one: make(chan struct{}, 1)} // so that nothing is sent
	busy.one <- struct{}{}
	p.link.channel.pace = busy
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 1000 {
		a := published(dataChange(1))
		a.publish.SubscriptionID = 99
		if err := p.published(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	p.wg.Wait()
	if n := said("deleting a subscription"); n < 1 || n > 3 {
		t.Errorf("%d lines", n)
	}
}

// TestChangesTogether: thousands of events of one download are one look at the tags.
func TestChangesTogether(t *testing.T) {
	calls, nodes := 0, 0
	x := &events{changed: func(list []*ua.NodeID) { calls++; nodes += len(list) }}
	var list []*ua.EventFieldList
	for i := range 2000 {
		fields := make([]*ua.Variant, len(clauses))
		fields[0] = ua.MustVariant(ua.NewNumericNodeID(0, id.GeneralModelChangeEventType))
		fields[12] = ua.MustVariant([]*ua.ExtensionObject{ua.NewExtensionObject(&ua.ModelChangeStructureDataType{
			Affected: ua.NewNumericNodeID(2, uint32(i)), AffectedType: ua.NewTwoByteNodeID(0)})})
		list = append(list, &ua.EventFieldList{ClientHandle: eventHandle, EventFields: fields})
	}
	x.take(list, 1, 0)
	if calls != 1 || nodes != 2000 {
		t.Errorf("%d calls with %d nodes", calls, nodes)
	}
}

// TestLongNamespace: what a server calls its namespaces does not make the record of
// what the tags were unreadable, which would let all out of quarantine.
func TestLongNamespace(t *testing.T) {
	p, _ := pumpOf(t, &Source{Name: "PLC", StateFile: filepath.Join(t.TempDir(), "plc.subscription"), Tags: []plant.Tag{{ID: 1, Path: "T", Node: "ns=1;i=5"}}}, 1)
	p.selves.list[0].is = imprint{hasType: true, dataType: "i=11"}
	if p.rename(0, ua.NewNumericNodeID(1, 6), peer{namespaces: []string{"", strings.Repeat("u", 9000)}}) {
		t.Error("it was renamed")
	}
	if err := p.selves.write(); err != nil {
		t.Fatal(err)
	}
	if kept, err := readIdentity(p.selves.file); err != nil || len(kept) != 1 {
		t.Errorf("%v, %v", kept, err)
	}
	if !p.rename(0, ua.NewNumericNodeID(1, 6), peer{namespaces: []string{"", "urn:a"}}) || p.selves.list[0].node != "nsu=urn:a;i=6" {
		t.Errorf("%q", p.selves.list[0].node)
	}
}

// TestLongTextsWait: what waits for a look at its node is bounded by its bytes.
func TestLongTextsWait(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, v := range []any{long, &ua.LocalizedText{Text: long}, []string{long}, &ua.ExtensionObject{Value: &rawBody{bytes: []byte(long)}}} {
		if n := weight(&ua.DataValue{Value: ua.MustVariant(v)}); n < 2000 {
			t.Errorf("%T of 1 MiB weighs as much as %d values", v, n)
		}
	}
}

// TestOddRequests: what lies in the folder of requests and is none holds nothing up.
func TestOddRequests(t *testing.T) {
	dir := t.TempDir()
	pipe, device, folder := filepath.Join(dir, "pipe.json"), filepath.Join(dir, "zero.json"), filepath.Join(dir, "folder.json")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/zero", device), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	s, d := &Source{Name: "PLC"}, &identities{log: slog.New(slog.DiscardHandler)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, name := range []string{pipe, folder, device} {
			if err := s.answer(d, name); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
		if err := s.answer(d, filepath.Join(dir, "gone.json")); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("a request holds the edge up")
	}
}

// TestEndlessReferences: a node whose references do not end fills no memory.
func TestEndlessReferences(t *testing.T) {
	refs := make([]*ua.ReferenceDescription, 700)
	for i := range refs {
		refs[i] = &ua.ReferenceDescription{BrowseName: &ua.QualifiedName{Name: strings.Repeat("x", 1<<20)}}
	}
	out := make([]browsed, 2)
	err := (&explorer{}).pages(t.Context(), out, []*ua.BrowseResult{{References: refs, ContinuationPoint: []byte("more")}, {References: refs[:100]}})
	if err != nil || out[0].refs != nil || out[0].refused == "" || len(out[1].refs) != 100 || out[1].refused != "" {
		t.Errorf("%v, %d %q, %d %q", err, len(out[0].refs), out[0].refused, len(out[1].refs), out[1].refused)
	}
}

// TestHeldMessages: while a lost notification is asked for again, no others are,
// once many wait for it.
func TestHeldMessages(t *testing.T) {
	p, _ := pumpOf(t, &Source{Name: "PLC", Log: logger(t), Tags: []plant.Tag{{ID: 1, Path: "T"}}}, 1)
	for i := range uint32(mostHoles + 1) {
		if err := p.published(t.Context(), published(dataChange(i+2, value(1, 1.0, 0, time.Now())))); err != nil {
			t.Fatal(err)
		}
	}
	p.outstanding = 0
	if p.fill(t.Context()); p.outstanding != 0 {
		t.Errorf("%d requests", p.outstanding)
	}
}

// TestUnknownStart: a server that does not say when it was started may have given
// the number of our subscription to another client, whose values would be taken
// for ours.
func TestUnknownStart(t *testing.T) {
	p, _ := pumpOf(t, &Source{Name: "PLC", Log: logger(t), Tags: []plant.Tag{{ID: 1, Path: "T"}}}, 1)
	if ok, err := p.resume(t.Context(), nil, peer{}, false); ok || err != nil {
		t.Errorf("taken over: %t, %v", ok, err)
	}
}

// TestNoRequestFolder: that requests cannot be looked for is said.
func TestNoRequestFolder(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, requestFolder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log, said := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&Source{Name: "PLC", StateFile: filepath.Join(data, "plc")}).attend(ctx, &identities{log: log})
	}()
	eventually(t, 5*time.Second, "a word", func() bool { return said("cannot be looked for") == 1 })
	cancel()
	<-done
}

// TestLongText: a text that no message takes is refused by name, with a gap, and
// does not hold up the values of all PLCs.
func TestLongText(t *testing.T) {
	tr := newTranslator([]plant.Tag{{ID: 1, Path: "T", Kind: plant.Text}})
	begin := time.Now()
	for i, n := range []int{10, maxText, maxText + 1, 9 << 20, 10} {
		m := dataChange(uint32(i+1), value(1, strings.Repeat("x", n), 0, begin.Add(time.Duration(i)*time.Second)))
		m.at = begin.UnixNano()
		tr.translate(m)
		if want := n <= maxText; (len(tr.batch.States) == 1) != want || (len(tr.wrong) == 0) != want {
			t.Errorf("%d bytes: %d states, refused %v", n, len(tr.batch.States), tr.wrong)
		}
	}
	if g := tr.batch.Gaps; len(g) != 1 || g[0].Reason != GapWrongType {
		t.Errorf("gaps %+v", g)
	}
}

// TestLongestSilence: whatever a server grants, there is an end to waiting for it.
func TestLongestSilence(t *testing.T) {
	for _, ms := range []float64{100, 3.6e6, 1e15, 1e300, math.Inf(1)} {
		for _, n := range []uint32{1, 20, 1 << 20, math.MaxUint32} {
			if d := (subscription{publishing: millis(ms), keepAlive: n}).deadline(); d <= 0 || d > silenceLimit {
				t.Errorf("%g ms, %d intervals: %v", ms, n, d)
			}
		}
	}
	if d := (subscription{publishing: DefaultPublishing, keepAlive: 20}).deadline(); d != 4*time.Second {
		t.Error(d)
	}
}

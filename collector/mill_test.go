package collector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millwright/e2e/port"
	"millwright/plant"
	"millwright/simulator/server"
)

// mill is our own server, driven by a writer, with the account of what it
// offered.
type mill struct {
	*server.Server
	t       testing.TB
	mu      sync.Mutex
	offered map[key]fact
	stop    chan struct{}
	wg      sync.WaitGroup
}

func newMill(t testing.TB, vars int, set func(*server.Server)) *mill {
	t.Helper()
	m := &mill{t: t, offered: map[key]fact{}, stop: make(chan struct{})}
	m.Server = &server.Server{Listen: port.Address(t), Log: logger(t)}
	for i := range vars {
		m.Variables = append(m.Variables, server.Variable{Path: fmt.Sprintf("A/T%d", i)})
	}
	m.Offered = func(v []server.Value) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, x := range v {
			m.offered[key{plant.TagID(x.Var + 1), x.Time / oneMilli}] = fact{value: x.Number, quality: x.Quality}
		}
	}
	if set != nil {
		set(m.Server)
	}
	if err := m.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := server.Changing(m.Counts()); len(n) > 0 {
			t.Errorf("a reader asked for changes: %v", n)
		}
		m.halt()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *mill) tags() []plant.Tag {
	tags := make([]plant.Tag, len(m.Variables))
	for i := range tags {
		tags[i] = plant.Tag{ID: plant.TagID(i + 1), Path: m.Variables[i].Path, Node: "nsu=" + server.Namespace + ";s=" + m.Variables[i].Path}
	}
	return tags
}

// run writes parts of the variables in turn, so that all are written every
// interval in as many steps.
func (m *mill) run(interval time.Duration, steps int) {
	m.wg.Go(func() {
		t := time.NewTicker(interval / time.Duration(steps))
		defer t.Stop()
		var now int64
		for n := 0; ; n++ {
			select {
			case <-m.stop:
				return
			case <-t.C:
			}
			now = max(time.Now().UnixNano(), now+oneMilli) // a late tick brings the next at once: one value a millisecond
			m.mu.Lock()
			srv := m.Server
			m.mu.Unlock()
			var vals []server.Value
			for i := n % steps; i < len(srv.Variables); i += steps {
				if srv.Variables[i].Kind == plant.Burst {
					continue
				}
				q := plant.Good
				if n%97 == 0 {
					q = plant.BadSensorFailure
				}
				vals = append(vals, server.Value{Var: i, Time: now, Quality: q, Number: float64(n) + float64(i)/1e5})
			}
			srv.Write(vals)
		}
	})
}

// become lets another server go on in place of the one before, under the writer.
func (m *mill) become(next *server.Server) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Server = next
}

func (m *mill) halt() {
	select {
	case <-m.stop:
	default:
		close(m.stop)
	}
	m.wg.Wait()
}

func (m *mill) log() map[key]fact {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(map[key]fact, len(m.offered))
	for k, v := range m.offered {
		c[k] = v
	}
	return c
}

// TestChaos does everything to a connection at once: cuts, silence, delay,
// restarts of the server, a sink that refuses, late commits.
func TestChaos(t *testing.T) {
	t.Parallel()
	m := newMill(t, 300, nil)
	port, _ := strconv.Atoi(m.URL()[strings.LastIndexByte(m.URL(), ':')+1:])
	p := newProxy(t, port)
	s := &Source{Name: "PLC", URL: p.url(), Tags: m.tags(), StateFile: filepath.Join(t.TempDir(), "plc")}
	for i := range s.Tags {
		s.Tags[i].Trigger, s.Tags[i].Queue = plant.TriggerStatusValueTimestamp, 20
	}
	out := newStore(s)
	out.lag = 200 * time.Millisecond
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	m.run(100*time.Millisecond, 5)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 14 {
		time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		switch r.IntN(6) {
		case 0:
			p.cut()
		case 1:
			p.hush(true)
			time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
			p.hush(false)
		case 2:
			p.slow(time.Duration(r.IntN(150)) * time.Millisecond)
		case 3:
			out.refuse(errors.New("full"))
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			out.refuse(nil)
		case 4:
			p.hush(true)
			time.Sleep(200 * time.Millisecond)
			p.cut()
			p.hush(false)
		case 5:
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
			if err := m.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.slow(0)
	eventually(t, 30*time.Second, "live in the end", live(s))
	time.Sleep(time.Second) // every tag has a value after the last fault
	m.halt()
	arrived(func() *store { return out }, m.log)
	a := out.reckon(t, m.log())
	a.check(t)
	t.Logf("gaps %v, %d values came twice", out.gapReasons(), out.count.again)
}

// TestFast reads 100 Hz with repeated values and equal times without a change
// filter.
func TestFast(t *testing.T) {
	t.Parallel()
	m := newMill(t, 50, nil)
	s := &Source{Name: "PLC", URL: m.URL(), Tags: m.tags()}
	for i := range s.Tags {
		s.Tags[i].Trigger, s.Tags[i].Queue = plant.TriggerStatusValueTimestamp, 200
	}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 10*time.Second, "all monitored", func() bool { return m.Monitored() == 50 })
	for n := range 300 {
		vals := make([]server.Value, 50)
		for i := range vals {
			vals[i] = server.Value{Var: i, Time: time.Now().UnixNano(), Number: float64(n / 10)}
		}
		m.Write(vals)
		time.Sleep(10 * time.Millisecond)
	}
	arrived(func() *store { return out }, m.log)
	a := out.reckon(t, m.log())
	a.check(t)
	if a.stored != a.offered || len(out.gaps) > 0 || a.stored < 290*50 {
		t.Errorf("%v, gaps %v", a, out.gapReasons())
	}
}

// TestKilledOnMill kills our process while 200 tags of our own server run, with
// commits that lag; nothing may be missing and nothing declared.
func TestKilledOnMill(t *testing.T) {
	t.Parallel()
	m := newMill(t, 200, nil)
	dir := t.TempDir()
	k := &killable{t: t, set: childSet{URL: m.URL(), Tags: m.tags(), State: filepath.Join(dir, "plc"), Out: filepath.Join(dir, "out"), Lag: 300 * time.Millisecond}}
	t.Cleanup(k.kill)
	k.start()
	eventually(t, 10*time.Second, "all monitored", func() bool { return m.Monitored() == 200 })
	m.run(200*time.Millisecond, 4)
	for range 10 {
		time.Sleep(time.Duration(100+rand.IntN(1500)) * time.Millisecond)
		k.kill()
		k.start()
	}
	time.Sleep(2 * time.Second)
	m.halt()
	arrived(k.stored, m.log)
	k.kill()
	out := k.stored()
	a := out.reckon(t, m.log())
	a.check(t)
	if a.declared > 0 || len(out.gaps) > 0 {
		t.Errorf("gaps without a cause: %v", out.gapReasons())
	}
	t.Logf("%d of %d values came twice", out.count.again, out.count.n)
	if t.Failed() {
		t.Log(k.log.String())
	}
}

// TestMillBursts: the bursts of our own server come through whole beside its other
// values, and are made only once somebody monitors them.
func TestMillBursts(t *testing.T) {
	t.Parallel()
	const points = 3
	m := newMill(t, 20, func(s *server.Server) {
		for i := range points {
			s.Variables = append(s.Variables, server.Variable{Path: fmt.Sprintf("A/W%d", i), Kind: plant.Burst, Length: plant.MaxWaveform})
		}
	})
	var made atomic.Int32
	at := time.Now().UnixNano() / oneMilli * oneMilli
	write := func(second int) {
		for i := range points {
			m.Write([]server.Value{{Var: 20 + i, Time: at + int64(second)*1e9, Wave: &server.Wave{Length: plant.MaxWaveform, Fill: func(dst []float32) {
				made.Add(1)
				for k := range dst {
					dst[k] = float32(second*1000 + i*100 + k%100)
				}
			}}}})
		}
	}
	write(1)
	s := &Source{Name: "PLC", URL: m.URL(), Tags: m.tags()}
	for i := 20; i < len(s.Tags); i++ {
		s.Tags[i].Kind, s.Tags[i].Rate = plant.Burst, 25_600
	}
	out := &waves{store: newStore(s), list: map[key]plant.Waveform{}}
	if made.Load() > 0 {
		t.Error("made for nobody")
	}
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	m.run(100*time.Millisecond, 1)
	for second := range 5 {
		write(second + 2)
	}
	eventually(t, 20*time.Second, "six bursts of each point", func() bool { return out.size() == 6*points })
	for k, w := range out.list {
		second := (k.ms*oneMilli - at) / 1e9
		if len(w.Values) != plant.MaxWaveform || w.Values[199] != float32(second*1000+int64(k.tag-21)*100+99) || w.Quality != plant.Good {
			t.Errorf("tag %d, burst %d: %d values, %v", k.tag, second, len(w.Values), w.Values[199])
		}
	}
	if r := s.Status().Rejected; len(r) > 0 {
		t.Errorf("refused: %v", r)
	}
	eventually(t, 10*time.Second, "other values", func() bool { return out.store.size() >= 20 })
}

package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// Trouble is something that goes wrong with the OPC UA server while the works
// itself is well.
type Trouble struct {
	Name     string        // see Troubles
	Offset   time.Duration // plant time since the start
	Duration time.Duration // plant time
}

// TroubleKind describes what can go wrong with the server.
type TroubleKind struct {
	Name     string
	Duration time.Duration // where none is given
	About    string        // for people

	begin, end func(ctx context.Context, s *server.Server) error
}

const (
	slowTo     = 5 * time.Second // on the clock
	fewerCalls = 50              // nodes and items a call
	shortQueue = 2
)

// Troubles lists what can go wrong with the server.
func Troubles() []TroubleKind {
	const minute = time.Minute
	spoil := func(what server.Spoil) (begin, end func(context.Context, *server.Server) error) {
		set := func(on bool) func(context.Context, *server.Server) error {
			return func(_ context.Context, s *server.Server) error { s.Spoil(what, on); return nil }
		}
		return set(true), set(false)
	}
	again := func(change func(*server.Server)) func(context.Context, *server.Server) error {
		return func(ctx context.Context, s *server.Server) error {
			return errors.Join(s.Close(), s.Reopen(ctx, change))
		}
	}
	tenth := func(do func(*server.Server, int)) func(context.Context, *server.Server) error {
		return func(_ context.Context, s *server.Server) error {
			for i := range s.Variables {
				if i%10 == 9 {
					do(s, i)
				}
			}
			return nil
		}
	}
	retype := func(to server.DataType) func(s *server.Server, i int) {
		return func(s *server.Server, i int) {
			if k := s.Variables[i].Kind; k != plant.Text && k != plant.Burst {
				s.Retype(i, to)
			}
		}
	}
	slow := func(d time.Duration) func(context.Context, *server.Server) error {
		return func(_ context.Context, s *server.Server) error { s.Slow(d); return nil }
	}
	kinds := []TroubleKind{
		{"restart", 5 * time.Second, "the server stops, and starts again at the end",
			func(_ context.Context, s *server.Server) error { return s.Close() },
			again(nil)},
		{"renumber", minute, "the server restarts with another order of namespaces",
			again(func(s *server.Server) { s.Namespaces = append([]string{"urn:millwright:other"}, s.Namespaces...) }),
			again(func(s *server.Server) { s.Namespaces = s.Namespaces[1:] })},
		{"limits", minute, fmt.Sprintf("the server restarts and takes %d nodes a call and queues of %d", fewerCalls, shortQueue),
			again(func(s *server.Server) {
				s.Limits.MaxNodesPerRead, s.Limits.MaxNodesPerBrowse, s.Limits.MaxMonitoredItemsPerCall = fewerCalls, fewerCalls, fewerCalls
				s.Limits.MaxQueue = shortQueue
			}),
			again(func(s *server.Server) { s.Limits = server.Limits{} })},
		{"remove", minute, "every tenth node is taken out of the address space",
			tenth((*server.Server).Remove), tenth((*server.Server).Restore)},
		{"retype", minute, "every tenth node is made anew as a text",
			tenth(retype(server.String)), tenth(retype(server.Default))},
		{"slow", minute, "the server publishes every 5 s at most", slow(slowTo), slow(0)},
	}
	for _, k := range []struct {
		name  string
		what  server.Spoil
		about string
	}{
		{"duplicates", server.Duplicates, "every notification comes twice"},
		{"late", server.Late, "source times lie an hour back"},
		{"future", server.Future, "source times lie 37 s ahead"},
		{"nan", server.NotNumbers, "every fifth number is NaN or infinite"},
		{"bad", server.Bad, "a third of the nodes say Bad_DeviceFailure at every fifth value"},
		{"uncertain", server.Uncertain, "a third of the nodes say Uncertain_SensorNotAccurate at every fifth value"},
		{"stuck", server.Stuck, "all values stand still, with fresh source times"},
	} {
		begin, end := spoil(k.what)
		kinds = append(kinds, TroubleKind{k.name, minute, k.about, begin, end})
	}
	return kinds
}

func troubleKind(name string) (TroubleKind, error) {
	var names []string
	for _, k := range Troubles() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return TroubleKind{}, fmt.Errorf("there is no trouble %q, allowed are %s", name, strings.Join(names, ", "))
}

// ParseTrouble reads KIND@OFFSET[+DURATION], for example "restart@10m+30s". OFFSET
// and DURATION are plant time.
func ParseTrouble(s string) (Trouble, error) {
	t, err := parseTrouble(s)
	if err != nil {
		return Trouble{}, fmt.Errorf("trouble %q: %w", s, err)
	}
	return t, nil
}

func parseTrouble(s string) (Trouble, error) {
	name, when, ok := strings.Cut(s, "@")
	if !ok {
		return Trouble{}, errors.New("has no @OFFSET, allowed is KIND@OFFSET[+DURATION] such as restart@10m+30s")
	}
	kind, err := troubleKind(name)
	if err != nil {
		return Trouble{}, err
	}
	t := Trouble{Name: name, Duration: kind.Duration}
	offset, duration, given := strings.Cut(when, "+")
	if t.Offset, err = time.ParseDuration(offset); err != nil || t.Offset < 0 {
		return Trouble{}, fmt.Errorf("offset %q, allowed is plant time since the start such as 90s or 2h", offset)
	}
	if given {
		if t.Duration, err = time.ParseDuration(duration); err != nil || t.Duration <= 0 {
			return Trouble{}, fmt.Errorf("duration %q, allowed is plant time such as 10m", duration)
		}
	}
	return t, nil
}

// String is the trouble as ParseTrouble reads it.
func (t Trouble) String() string { return fmt.Sprintf("%s@%v+%v", t.Name, t.Offset, t.Duration) }

// disturber makes trouble at its time.
type disturber struct {
	srv  *server.Server
	plan []planned
	log  *slog.Logger
}

type planned struct {
	Trouble
	begun, over bool
}

func newDisturber(srv *server.Server, list []Trouble, log *slog.Logger) *disturber {
	d := &disturber{srv: srv, log: log}
	for _, t := range list {
		d.plan = append(d.plan, planned{Trouble: t})
	}
	return d
}

// at does what is due at a plant time. An error is one of starting the server
// again.
func (d *disturber) at(ctx context.Context, now time.Duration) error {
	for i := range d.plan {
		p := &d.plan[i]
		begins, ends := !p.begun && now >= p.Offset, p.begun && !p.over && now >= p.Offset+p.Duration
		if !begins && !ends {
			continue
		}
		kind, err := troubleKind(p.Name)
		if err != nil {
			return err
		}
		do := kind.begin
		if ends {
			do = kind.end
		}
		p.begun, p.over = true, ends
		d.log.Info("trouble with the server", "trouble", p.Trouble, "begins", begins, "plant_time", now)
		if err := do(ctx, d.srv); err != nil && ctx.Err() == nil {
			return fmt.Errorf("trouble %s: %w", p.Trouble, err)
		}
	}
	return nil
}

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// offerEnv makes the test binary the process that offers a load.
const offerEnv = "MILLWRIGHT_E2E_OFFER"

// offerSet is a load: all tags are written every Every ms, in so many parts.
type offerSet struct {
	Port, Tags   int
	Every, Parts int
	PKI          string // SignAndEncrypt and the user op with the password secret; empty: no security
}

// offerLog is what was offered: tag i at the times of the steps s with s ≡ i
// (mod Parts), from the step First[i] on.
type offerLog struct {
	Times []int64 // ms since 1970, by step
	First []int
	Count []int
}

// offerPath and value are the same in both processes. Two values of a tag that follow
// each other always differ: a server tells of changes only.
func offerPath(i int) string { return fmt.Sprintf("P/A%04d/T%d", i/8, i%8) }

func (s *offerSet) value(i, step int) float64 {
	x := math.Sin(float64(step)/700+float64(i/8)) + 0.1*math.Sin(float64(step*(i%8+1)))
	return (math.Round(x*1e3)*10 + float64(step/s.Parts%10)) / 1e4
}

// offer is a server in a process of its own.
type offer struct {
	*process
	set  offerSet
	said int
}

// startOffer starts it, on the port that the edge of the works dials, and lets the
// works' edge read it.
func startOffer(t *testing.T, w *works, set offerSet, models bool) *offer {
	t.Helper()
	if set.PKI != "" {
		writeFile(t, filepath.Join(w.dir, "plc.password"), "secret\n")
		w.plcKeys = "security_policy = \"Basic256Sha256\"\nsecurity_mode = \"SignAndEncrypt\"\nuser = \"op\"\npassword_file = \"plc.password\"\n"
	}
	var tags, machines strings.Builder
	tags.WriteString("path,node,unit,low,high,resolution\n")
	for i := range set.Tags {
		fmt.Fprintf(&tags, "%s,nsu=%s;s=%[1]s,bar,-10,10,0.0001\n", offerPath(i), server.Namespace)
		if i%8 == 0 && models {
			fmt.Fprintf(&machines, "[[asset]]\npath = \"P/A%04d\"\nname = \"Pump %d\"\nclass = \"pump\"\n[asset.model]\nlearn = \"40s\"\n", i/8, i/8)
		}
	}
	writeFile(t, filepath.Join(w.dir, "tags.csv"), tags.String())
	assets := ""
	if models {
		assets = filepath.Join(w.dir, "assets.toml")
		writeFile(t, assets, machines.String())
	}
	w.watch(filepath.Join(w.dir, "tags.csv"), assets)
	set.Port = w.opc
	arg, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], string(arg))
	cmd.Env = append(os.Environ(), offerEnv+"=1")
	o := &offer{process: run(t, "offer", cmd), set: set}
	o.find(`(ready)`, 20*time.Second)
	if set.PKI != "" { // both know each other
		b, err := os.ReadFile(filepath.Join(set.PKI, "own", "cert.der"))
		if err != nil {
			t.Fatal(err)
		}
		trusted := filepath.Join(w.dir, "edge", "pki", "trusted")
		if err := os.MkdirAll(trusted, 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(trusted, "offer.der"), string(b))
	}
	return o
}

// ask gives the process a command and returns its answer.
func (o *offer) ask(command string) string {
	o.t.Helper()
	o.said++
	o.say(fmt.Sprintf("%d %s", o.said, command))
	return o.find(fmt.Sprintf(`(?m)^ok %d (.*)$`, o.said), time.Minute)
}

// log is what has been offered so far.
func (o *offer) log() (l offerLog) {
	o.t.Helper()
	file := filepath.Join(o.t.TempDir(), "log")
	if said := o.ask("log " + file); said != "" {
		o.t.Fatal(said)
	}
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return l
}

// account compares all that was offered with what the historian has.
func (o *offer) account(a api) (c account) {
	o.t.Helper()
	l := o.log()
	for i := range o.set.Tags {
		path, stored, want := offerPath(i), map[int64]float64{}, map[int64]bool{}
		for _, s := range a.samples(path) {
			if s.V == nil || s.Q != plant.Good.String() {
				c.differing++
				continue
			}
			stored[s.T.UnixMilli()] = *s.V
		}
		var gaps []gapJSON
		n := 0
		for step := l.First[i]; step < len(l.Times); step += o.set.Parts {
			at := l.Times[step]
			want[at] = true
			n++
			switch v, ok := stored[at]; {
			case ok && v == o.set.value(i, step):
				c.stored++
			case ok:
				c.stored++
				c.differing++
				c.note("%s at %d is %v, was %v", path, at, v, o.set.value(i, step))
			default:
				if gaps == nil {
					gaps = a.gaps(path)
				}
				if inGap(gaps, at) {
					c.declared++
				} else {
					c.undeclared++
					c.note("%s at %s is lost without a gap", path, time.UnixMilli(at).UTC().Format(time.StampMilli))
				}
			}
		}
		if n != l.Count[i] {
			o.t.Fatalf("%s: %d values written, %d offered: the count proves nothing", path, n, l.Count[i])
		}
		c.offered += n
		for at := range stored {
			if !want[at] {
				c.surplus++
				c.note("%s at %d was never offered", path, at)
			}
		}
	}
	return c
}

// offerProcess serves until stdin ends.
func offerProcess(arg string) error {
	var set offerSet
	if err := json.Unmarshal([]byte(arg), &set); err != nil {
		return err
	}
	s := &server.Server{Listen: fmt.Sprintf("127.0.0.1:%d", set.Port)}
	for i := range set.Tags {
		s.Variables = append(s.Variables, server.Variable{Path: offerPath(i), Unit: "bar"})
	}
	if set.PKI != "" {
		s.Modes, s.PKI, s.NoAnonymous, s.Users = []server.Mode{server.SignAndEncrypt}, set.PKI, true, map[string]string{"op": "secret"}
	}
	w := &offerWriter{set: set, server: s}
	w.log.First, w.log.Count = make([]int, set.Tags), make([]int, set.Tags)
	s.Offered = func(vals []server.Value) {
		for i := range vals {
			if v := vals[i].Var; w.log.Count[v] == 0 {
				w.log.First[v] = w.step
			}
			w.log.Count[vals[i].Var]++
			w.total++
		}
	}
	if err := s.Start(context.Background()); err != nil {
		return err
	}
	defer s.Close()
	fmt.Println("ready")
	for sc := bufio.NewScanner(os.Stdin); sc.Scan(); {
		number, command, _ := strings.Cut(sc.Text(), " ")
		fmt.Printf("ok %s %s\n", number, w.obey(command))
	}
	return nil
}

// offerWriter writes the tags in turns. The source time of a value is when it was
// due, so that the rate is kept by whatever a busy machine makes of the steps.
type offerWriter struct {
	set    offerSet
	server *server.Server
	stop   chan struct{}
	done   sync.WaitGroup

	mu    sync.Mutex // guards what follows; held while a step is written
	step  int
	total int
	log   offerLog
}

func (w *offerWriter) obey(command string) string {
	word, arg, _ := strings.Cut(command, " ")
	switch word {
	case "run":
		w.stop = make(chan struct{})
		w.done.Go(w.run)
	case "halt":
		close(w.stop)
		w.done.Wait()
	case "monitored":
		return fmt.Sprint(w.server.Monitored())
	case "count":
		w.mu.Lock()
		defer w.mu.Unlock()
		return fmt.Sprint(w.total)
	case "log":
		w.mu.Lock()
		defer w.mu.Unlock()
		b, err := json.Marshal(w.log)
		if err == nil {
			err = os.WriteFile(arg, b, 0o600)
		}
		if err != nil {
			return err.Error()
		}
	}
	return ""
}

func (w *offerWriter) run() {
	pause := time.Duration(w.set.Every) * time.Millisecond / time.Duration(w.set.Parts)
	vals := make([]server.Value, 0, w.set.Tags/w.set.Parts+1)
	for due := time.Now(); ; due = due.Add(pause) {
		if time.Since(due) > 2*time.Second {
			due = time.Now() // after a pause of the process
		}
		select {
		case <-w.stop:
			return
		case <-time.After(time.Until(due)):
		}
		w.mu.Lock()
		vals = vals[:0]
		at := plant.Millis(due.UnixNano())
		for i := w.step % w.set.Parts; i < w.set.Tags; i += w.set.Parts {
			vals = append(vals, server.Value{Var: i, Time: at, Number: w.set.value(i, w.step)})
		}
		w.log.Times = append(w.log.Times, at/int64(time.Millisecond))
		w.server.Write(vals)
		w.step++
		w.mu.Unlock()
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"millwright/collector"
	"millwright/models/bundle"
	"millwright/plant"
	"millwright/plant/config"
	"millwright/plant/disk"
	"millwright/simulator"
)

type upCmd struct {
	Data    string   `default:"./millwright-data" help:"Folder for everything that is kept."`
	HTTP    string   `default:"127.0.0.1:8080" name:"http" help:"Address of the page."`
	NoLogin bool     `help:"Open every route to everybody on this machine. Loopback only."`
	Speed   *float64 `help:"Plant seconds per second (default 20; the reference works and replays: 1)." placeholder:"N"`
	Works   string   `enum:"demo,reference" default:"demo" help:"What is simulated: demo, three machines, or reference, a whole works."`
	Start   string   `placeholder:"DATE" help:"When the works begins, by its own clock: 2026-07-01 or 2026-07-01T06:00 (default 10 April, 14:00)."`
	Fault   []string `help:"Break something: ASSET:FAULT[:SEVERITY]@OFFSET[+GROWTH][~natural], OFFSET in plant time since the start (90s, 2h). May be repeated." placeholder:"FAULT" sep:"none"`
	Ledger  string   `help:"Write what was really wrong to this file." placeholder:"FILE"`
	Samples string   `help:"Write every value offered over OPC UA to this file." placeholder:"FILE"`
	Replay  string   `help:"Serve this recording instead of the simulated mill." placeholder:"FILE.csv"`
	Learn   int      `help:"With --replay: rows that the models learn from, counted from the first." placeholder:"ROWS"`
	Loop    bool     `help:"With --replay: start again after the last row."`

	story
}

// Help lists the faults.
func (*upCmd) Help() string { return faultHelp() }

// Run brings a whole works up in this process, over real sockets and a real disk.
func (c *upCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	sim, err := c.simulator()
	if err != nil {
		return err
	}
	if err := sim.Check(); err != nil {
		return err
	}
	if err := checkLogs(c.Ledger, c.Samples); err != nil {
		return err
	}
	if err := checkAddress("--http", c.HTTP); err != nil {
		return err
	}
	if c.HTTP, err = settle(c.HTTP); err != nil {
		return err
	}
	data, err := makeFolder(c.Data)
	if err != nil {
		return err
	}
	// A person reads this terminal: the greeting first, then what is wrong, and
	// what is usual only on demand.
	out, log := &held{w: e.stdout}, &held{w: e.stderr}
	if sim.Replay != nil {
		sim.Replay.Tell = func(text string) { fmt.Fprintln(out, text) }
	}
	if e.calm() < slog.LevelWarn {
		log.release()
	}
	w := newWorks(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: e.calm()})))
	if c.Works != "demo" {
		fmt.Fprintln(e.stderr, "Warming up the works for the page: this takes some seconds, on a busy computer minutes.")
	}
	err = c.begin(e, w, sim, data)
	if err == nil {
		c.greet(e.stdout, w, data)
	}
	out.release()
	log.release()
	return w.crew.finish(e.ctx, err)
}

const (
	errReplayFault = usageError("--fault breaks the simulated mill, not a recording: leave out --fault or --replay")
	errReplayWorks = usageError("--works names what is simulated, --replay plays a recording instead: leave out one of them")
)

// check refuses flags that contradict each other.
func (c *upCmd) check() error {
	switch {
	case c.Replay == "" && (c.Learn != 0 || c.Loop):
		return usageError("--learn and --loop need --replay FILE.csv")
	case c.Replay != "" && len(c.Fault) > 0:
		return errReplayFault
	case c.Replay != "" && c.Works != "demo":
		return errReplayWorks
	case c.Learn < 0:
		return usageError(fmt.Sprintf("--learn %d: must be a number of rows", c.Learn))
	case c.NoLogin && !loopback(c.HTTP):
		return fmt.Errorf("--no-login opens every route: it is allowed on a loopback address such as 127.0.0.1:8080, not on %s", c.HTTP)
	}
	if err := c.story.check(c.Replay != ""); err != nil {
		return err
	}
	return checkSpeed(c.Speed, c.Replay != "")
}

// checkSpeed refuses what no mill can run at. The rows of a replay may lie days
// apart.
func checkSpeed(speed *float64, replay bool) error {
	low, high := 0.001, 1000.0
	if replay {
		high = 1e6
	}
	if speed != nil && !(*speed >= low && *speed <= high) {
		return usageError(fmt.Sprintf("--speed %v: must be %v to %v", *speed, low, high))
	}
	return nil
}

// simulator is the mill, or the recording in its place.
func (c *upCmd) simulator() (*simulator.Simulator, error) {
	faults, err := parseFaults(c.Fault)
	if err != nil {
		return nil, err
	}
	speed := float64(simulator.DemoSpeed)
	if c.Replay != "" || c.Works != "demo" {
		speed = 1
	}
	if c.Speed != nil {
		speed = *c.Speed
	}
	works, err := simulatedWorks(c.Works, c.Start)
	if err != nil {
		return nil, err
	}
	s := &simulator.Simulator{
		Works: works, Listen: "opc.tcp://127.0.0.1:0", Speed: speed,
		Faults: faults, Ledger: c.Ledger, Samples: c.Samples,
	}
	if c.Replay != "" {
		s.Replay = &simulator.Replay{File: c.Replay, Loop: c.Loop}
	}
	_, err = c.tell(s, c.Works, c.Start != "")
	return s, err
}

// begin starts the roles with the configuration that a plant would write.
func (c *upCmd) begin(e *env, w *works, sim *simulator.Simulator, data string) error {
	tags, assets, err := c.plant(sim)
	if err != nil {
		return err
	}
	if err := w.startSimulator(e.ctx, sim); err != nil {
		return err
	}
	if err := w.startBroker(e.ctx, &config.Broker{Listen: "127.0.0.1:0", Data: filepath.Join(data, "broker")}); err != nil {
		return err
	}
	sms := filepath.Join(data, "sms")
	for _, dir := range []string{"outgoing", "incoming"} {
		if err := os.MkdirAll(filepath.Join(sms, dir), 0o700); err != nil {
			return err
		}
	}
	historian := filepath.Join(data, "historian")
	root, err := makeRepository(historian, filepath.Join(data, "keys"))
	if err != nil {
		return err
	}
	err = w.startHistorian(e.ctx,
		&config.Historian{Data: historian, HostID: "historian"},
		&config.HMI{Listen: c.HTTP, Data: filepath.Join(data, "hmi"), NoLogin: c.NoLogin},
		&config.Notify{PublicURL: "http://" + c.HTTP, Zone: time.Local, SMS: &config.SMS{Spool: sms, Replies: true}})
	if err != nil {
		return err
	}
	ed := &config.Edge{
		Name: "edge", Group: "Works", PrimaryHost: "historian", Data: filepath.Join(data, "edge"),
		Assets: assets, Speed: sim.Speed, Models: w.page, ModelsRoot: root,
	}
	plc := config.PLC{Name: "mill", URL: sim.URL(), Tags: tags, SecurityPolicy: "None", SecurityMode: "None", Publishing: collector.DefaultPublishing}
	if c.Replay != "" {
		// Every replay learns afresh: its own edge, without what an earlier one knew.
		ed.Name, plc.Name = "edge-replay", "replay"
		ed.Data = filepath.Join(data, "edge-replay")
		if err := forget(ed.Data); err != nil {
			return err
		}
	}
	return w.startEdge(e.ctx, &config.Config{Edge: ed, PLCs: []config.PLC{plc}})
}

// makeRepository makes the repository of trained models at the first start, with
// its keys beside it: a demonstration has no safe to lock them in. It returns the
// file of its root of trust.
func makeRepository(historian, keys string) (root string, err error) {
	dir := filepath.Join(historian, modelsFolder)
	r, err := bundle.Open(dir)
	if errors.Is(err, bundle.ErrNoRepository) {
		r, err = bundle.Init(dir, keys, "millwright up")
	}
	if err != nil {
		return "", err
	}
	b, err := r.Root()
	if err != nil {
		return "", err
	}
	root = filepath.Join(keys, "root.json")
	return root, disk.Replace(root, b, 0o600)
}

// plant is what the edge is told to read and to judge.
func (c *upCmd) plant(sim *simulator.Simulator) ([]plant.Tag, []plant.Asset, error) {
	if c.Replay == "" {
		return sim.Works.Tags, sim.Works.Assets, nil
	}
	tags, _, err := simulator.ReplayTags(c.Replay)
	if err != nil {
		return nil, nil, err
	}
	asset, err := simulator.ReplayAsset(c.Replay, c.Learn, sim.Speed)
	return tags, []plant.Asset{asset}, err
}

// forget removes the learned state of an edge.
func forget(dir string) error {
	err := os.Remove(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// again is how this was started, for the next command to try.
func (c *upCmd) again() string {
	line := os.Args[0] + " up"
	if c.NoLogin {
		line += " --no-login"
	}
	if c.Works != "demo" {
		line += " --works " + c.Works
	}
	if c.HTTP != "127.0.0.1:8080" {
		line += " --http " + c.HTTP
	}
	if abs, err := filepath.Abs("millwright-data"); err != nil || abs != c.Data {
		line += " --data " + c.Data
	}
	return line
}

// greet says in a few lines what runs and what to try next.
func (c *upCmd) greet(out io.Writer, w *works, data string) {
	name := "simulated mill"
	if c.Replay != "" {
		name = "recording " + filepath.Base(c.Replay)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nMillwright %s: a works on this machine\n\n", version)
	fmt.Fprintf(&b, "  page    %s\n", w.page)
	fmt.Fprintf(&b, "  mill    %s   %s, speed %g\n", w.simulator.URL(), name, w.simulator.Speed)
	fmt.Fprintf(&b, "  broker  %s   Sparkplug B, group Works\n", w.brokerURL)
	fmt.Fprintf(&b, "  alerts  %s/oncall   SMS as files below %s\n", w.page, filepath.Join(data, "sms"))
	fmt.Fprintf(&b, "  data    %s\n\n", data)
	if w.setupCode != "" {
		fmt.Fprintf(&b, "The page asks for a first password; the code for it is %s\n\n", w.setupCode)
	}
	if c.Replay == "" && len(c.Fault) == 0 && c.Scenario == "" && c.FaultsPerYear == 0 {
		fmt.Fprintf(&b, "Try next: Ctrl-C, then break the gearbox and watch the page find out why:\n  %s --fault %s\n\n", c.again(), simulator.ExampleFault)
	}
	fmt.Fprintf(&b, "Ctrl-C ends it.\n\n")
	_, _ = io.WriteString(out, b.String())
}

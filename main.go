// Millwright watches the machines of a steel works and says, early and with
// reasons, which one is going to fail. This file holds the verbs; the roles are
// put together in works.go. See ARCHITECTURE.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	_ "time/tzdata" // a box need not have the zones of the people that it calls

	"github.com/alecthomas/kong"

	"millwright/collector"
	"millwright/models/offline"
)

// version is set by the build.
var version = "dev"

func main() {
	collector.AllowBursts()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

type cli struct {
	Up       upCmd       `cmd:"" help:"Run a whole works in this process: a simulated mill, an edge, a broker, the historian and the HMI."`
	Run      runCmd      `cmd:"" help:"Run the roles that a configuration file has sections for."`
	Check    checkCmd    `cmd:"" help:"Check configuration files: every fault at once, with file, line and key."`
	Sim      simCmd      `cmd:"" help:"Run the simulated mill alone, behind its OPC UA server."`
	Ledger   ledgerCmd   `cmd:"" help:"Read a truth ledger or a sample log of the simulator."`
	Assets   assetsCmd   `cmd:"" help:"Asset files: import from a spreadsheet."`
	Evaluate evaluateCmd `cmd:"" help:"Score the models against what was really wrong."`
	Discover discoverCmd `cmd:"" help:"Draft a tag list from the address space of an OPC UA server."`
	Doctor   doctorCmd   `cmd:"" help:"Say what is between us and a part, and what to do next."`
	PKI      pkiCmd      `cmd:"" name:"pki" help:"Certificates between an edge and its PLCs: list, trust, renew, export."`
	Broker   brokerCmd   `cmd:"" help:"Who may come to the broker: an authority, credentials of devices, what other brokers need."`
	Detect   detectCmd   `cmd:"" help:"Run the detectors over a recording."`
	Export   exportCmd   `cmd:"" help:"Write history to a file for data science: Parquet, CSV or Arrow."`
	Train    trainCmd    `cmd:"" help:"Train the models of an asset on its past, and try them."`
	Unread   unreadCmd   `cmd:"" help:"Messages of edges that the historian could not read, and why."`
	Users    usersCmd    `cmd:"" help:"Accounts of the HMI and its API."`
	Edge     edgeCmd     `cmd:"" help:"Boxes beside PLCs: spares, and how one takes the place of another."`
	Models   modelsCmd   `cmd:"" help:"Trained models: keys, bundles, and which asset runs which."`
	Version  versionCmd  `cmd:"" help:"Print the version."`

	Verbose bool `help:"Log more." short:"v"`
}

// env is what a verb gets besides its own flags.
type env struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	level  slog.Level
	log    *slog.Logger
}

// calm is the level of what a verb for people logs: what is wrong, and the rest
// on demand.
func (e *env) calm() slog.Level {
	if e.level < slog.LevelInfo {
		return e.level
	}
	return slog.LevelWarn
}

// run is main with its edges as arguments. It returns 0, 1 for a refused input
// or a failure, 2 for wrong usage.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("millwright"),
		kong.Description("Predictive maintenance at the edge for a steel works: OPC UA in, reasons out, nothing written to a PLC."),
		kong.UsageOnError(),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "millwright:", err)
		return 2
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "millwright: %v: see millwright --help\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who presses Ctrl-C twice does not want to wait
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	e := &env{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, level: level, log: newLog(stderr, level)}
	if err := kctx.Run(e); err != nil {
		fmt.Fprintln(stderr, "millwright:", err)
		var offlineUsage *offline.UsageError
		var usage usageError
		if errors.As(err, &offlineUsage) || errors.As(err, &usage) {
			return 2
		}
		return 1
	}
	return 0
}

// usageError is a call that contradicts itself.
type usageError string

func (e usageError) Error() string { return string(e) + ": see millwright --help" }

// newLog writes text to a terminal and JSON to anything else.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice == 0 {
			return slog.New(slog.NewJSONHandler(w, opts))
		}
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

type versionCmd struct{}

func (versionCmd) Run(e *env) error {
	_, err := fmt.Fprintf(e.stdout, "millwright %s %s/%s %s\n", version, runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"millwright/historian/alarm"
	"millwright/historian/export"
	"millwright/historian/store"
	"millwright/models/bundle"
	"millwright/models/train"
	"millwright/plant/config"
	"millwright/plant/disk"
)

type trainCmd struct {
	Asset string `required:"" help:"Path of the asset." placeholder:"PATH"`
	From  string `help:"Start: a time (RFC 3339), a day, or so long ago as 30d (default: 30 days before --to, or all of --in)." placeholder:"TIME"`
	To    string `help:"End (default: now, or the end of --in)." placeholder:"TIME"`

	In        string `help:"Read this export: millwright export --format parquet." placeholder:"FILE.parquet" xor:"where"`
	URL       string `name:"url" help:"Ask this running plant." placeholder:"URL" xor:"where"`
	Data      string `help:"Read the data folder of a millwright up that is stopped (default ./millwright-data)." placeholder:"DIR" xor:"where"`
	Config    string `short:"c" help:"Read the historian of this configuration, stopped." placeholder:"FILE.toml" xor:"where"`
	TokenFile string `help:"File with the token of a viewer, for --url." placeholder:"FILE"`

	Budget   float64       `default:"1" help:"False alarms per asset-week."`
	Backtest float64       `default:"0.25" help:"Last share of the period, to try the model on."`
	Seed     uint64        `default:"1" help:"The same data and seed give the same model."`
	Before   time.Duration `default:"1h" help:"Margin before a fault, plant time."`
	After    time.Duration `default:"30m" help:"Margin behind a fault, plant time."`
	Window   int           `help:"Rows that the model sees at once (default: as long as the machine's runs allow, at most 60)." placeholder:"ROWS"`
	Epochs   int           `default:"60" help:"At most so many rounds over the data."`
	Nets     int           `help:"Networks per mode, of which the median one is kept (default: 3 where the data is small, else 1)." placeholder:"N"`
	Speed    float64       `default:"1" help:"Plant seconds per second, where the edge's configuration says so."`
	Who      string        `help:"Author, for the bundle (default: the user of this machine)." placeholder:"NAME"`
	Out      string        `short:"o" default:"." help:"Folder for the bundle and a folder with the report." placeholder:"DIR"`
}

// source is what is read, its period where it has one of its own, and how to let
// it go.
type source struct {
	train.Source
	from, to int64
	close    func() error
}

// Run trains the models of an asset.
func (c *trainCmd) Run(e *env) (err error) {
	if c.TokenFile != "" && c.URL == "" {
		return usageError("--token-file is for --url")
	}
	now := time.Now()
	to, err := c.time("--to", c.To, now.UnixNano(), now)
	if err != nil {
		return err
	}
	from, err := c.time("--from", c.From, to-int64(30*24*time.Hour), now)
	if err != nil {
		return err
	}
	if from >= to {
		return usageError(fmt.Sprintf("the period from %s to %s is empty", c.From, cmp.Or(c.To, "now")))
	}
	src, err := c.open(e, from, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	if c.From == "" && src.to > src.from {
		from = src.from
	}
	if c.To == "" && src.to > src.from {
		to = src.to
	}
	show := newTicker(e.stderr)
	r, err := train.Run(e.ctx, train.Options{
		Source: src, Asset: c.Asset, From: from, To: to, Speed: c.Speed, Budget: c.Budget, Backtest: c.Backtest,
		Seed: c.Seed, Window: c.Window, Epochs: c.Epochs, Nets: c.Nets, Before: c.Before, After: c.After, Progress: show.progress,
	})
	show.end()
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped; nothing was written")
	}
	if err != nil {
		return err
	}
	return c.save(e, r, now)
}

func (c *trainCmd) time(flag, s string, absent int64, now time.Time) (int64, error) {
	if s == "" {
		return absent, nil
	}
	t, err := export.ParseTime(s, now)
	if err != nil {
		return 0, usageError(fmt.Sprintf("%s: %v; allowed are times such as 2026-11-22T00:05:00Z, days such as 2026-11-22, and 30d (so long ago)", flag, err))
	}
	return t, nil
}

func (c *trainCmd) open(e *env, from, to int64) (*source, error) {
	switch {
	case c.In != "":
		return openExport(c.In)
	case c.URL != "":
		return c.fetch(e, from, to)
	}
	h, err := historianOf(c.Data, c.Config, "the data")
	if err != nil {
		return nil, err
	}
	return openStopped(h)
}

// historianOf is the historian of a configuration file, or that of the data folder
// of millwright up. what it holds is for the error.
func historianOf(data, file, what string) (*config.Historian, error) {
	if file == "" {
		return &config.Historian{Data: filepath.Join(cmp.Or(data, "./millwright-data"), "historian")}, nil
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	if cfg.Historian == nil {
		return nil, fmt.Errorf("%s has no [historian] section, which holds %s", file, what)
	}
	return cfg.Historian, nil
}

// openStopped opens the data of a historian that does not run.
func openStopped(h *config.Historian) (*source, error) {
	book := filepath.Join(h.Data, "alarms")
	if _, err := os.Stat(book); errors.Is(err, fs.ErrNotExist) { // opening would make it
		return nil, fmt.Errorf("%s: no data of a historian: name its folder with --data, or an export with --in", h.Data)
	}
	only := *h
	only.Reserve = -1 // it is only read
	st, err := (&works{log: slog.New(slog.DiscardHandler)}).openStore(&only)
	if errors.Is(err, store.ErrInUse) {
		return nil, fmt.Errorf("%w: ask the running plant with --url", err)
	}
	if err != nil {
		return nil, err
	}
	b, err := alarm.Open(book)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &source{Source: export.Works{Store: st, Book: b}, close: func() error { return errors.Join(b.Close(), st.Close()) }}, nil
}

func openExport(name string) (*source, error) {
	f, err := export.Open(name)
	if err != nil {
		return nil, err
	}
	q := f.Manifest().Query
	return &source{Source: f, from: q.From, to: q.To, close: f.Close}, nil
}

// fetch lets the running plant export the period into a file of ours.
func (c *trainCmd) fetch(e *env, from, to int64) (_ *source, err error) {
	q := url.Values{"asset": {c.Asset}, "format": {"parquet"}, "shape": {"long"},
		"from": {time.Unix(0, from).UTC().Format(time.RFC3339)}, "to": {time.Unix(0, to).UTC().Format(time.RFC3339)}}
	at := strings.TrimSuffix(c.URL, "/") + "/api/v1/export?" + q.Encode()
	req, err := http.NewRequestWithContext(e.ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	if c.TokenFile != "" {
		token, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("redirected elsewhere: name the plant's own page with --url")
	}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		var problem struct {
			Detail string `json:"detail"`
		}
		_ = json.Unmarshal(text, &problem)
		return nil, fmt.Errorf("%s: %s", c.URL, cmp.Or(problem.Detail, res.Status))
	}
	f, err := os.CreateTemp("", "millwright-train-*.parquet")
	if err != nil {
		return nil, err
	}
	remove := func() error { return os.Remove(f.Name()) }
	_, err = io.Copy(f, res.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.URL, err), remove())
	}
	src, err := openExport(f.Name())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: the answer is no whole export: %w", c.URL, err), remove())
	}
	closeFile := src.close
	src.close = func() error { return errors.Join(closeFile(), remove()) }
	return src, nil
}

// save writes the report and, last, the bundle: who sees it has all of it.
func (c *trainCmd) save(e *env, r *train.Result, now time.Time) error {
	who := (&repositoryFlags{Who: c.Who}).who()
	next, err := nextVersion(c.Out, c.Asset)
	if err != nil {
		return err
	}
	b := r.Bundle(next, who, "millwright "+version, now.UnixMilli()*1e6)
	var file bytes.Buffer
	if err := bundle.Write(&file, b); err != nil {
		return err
	}
	folder := filepath.Join(c.Out, b.ID)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, p := range b.Plots {
		if err := disk.Replace(filepath.Join(folder, p.Name), p.SVG, 0o644); err != nil {
			return err
		}
	}
	report := filepath.Join(folder, "report.md")
	if err := disk.Replace(report, []byte(b.Report), 0o644); err != nil {
		return err
	}
	name := filepath.Join(c.Out, b.ID+bundle.Suffix)
	if err := disk.Replace(name, file.Bytes(), 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s\nreport: %s\nbundle: %s\nnext: read the report, then millwright models push %s\n", r.Verdict(), report, name, name)
	return err
}

// nextVersion counts on from the bundles of the asset in a folder. What is no
// bundle does not count.
func nextVersion(dir, asset string) (int, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+bundle.Suffix))
	if err != nil {
		return 0, err
	}
	last := 0
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		if b, err := bundle.Read(raw); err == nil && b.Asset == asset {
			last = max(last, b.Version)
		}
	}
	return last + 1, nil
}

// ticker shows the progress: one line that changes on a terminal, else a line now
// and then.
type ticker struct {
	w        io.Writer
	terminal bool
	shown    bool
	stage    train.Stage
	tenth    int
}

func newTicker(w io.Writer) *ticker {
	t := &ticker{w: w}
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil {
			t.terminal = st.Mode()&os.ModeCharDevice != 0
		}
	}
	return t
}

func (t *ticker) progress(p train.Progress) {
	line := fmt.Sprintf("%-11s %3.0f %%", p.Stage, 100*p.Done)
	if p.Stage == train.Fitting {
		line += fmt.Sprintf("  %s, network %d of %d, epoch %2d, loss %.4f, validation %.4f, at most %s left",
			p.Mode, p.Net, p.Nets, p.Epoch, p.Losses.Loss, p.Losses.Validation, p.Left.Round(time.Second))
	}
	if t.terminal {
		const bar = 20
		done := min(bar, max(0, int(p.Done*bar)))
		fmt.Fprintf(t.w, "\r\x1b[K%s%s %s", strings.Repeat("█", done), strings.Repeat("░", bar-done), line)
		t.shown = true
		return
	}
	// In a log, ten lines a stage are enough, and one for each epoch.
	tenth := int(p.Done * 10)
	if p.Stage == t.stage && p.Stage != train.Fitting && tenth == t.tenth {
		return
	}
	t.stage, t.tenth = p.Stage, tenth
	fmt.Fprintln(t.w, line)
}

// end leaves the terminal's line.
func (t *ticker) end() {
	if t.shown {
		fmt.Fprintln(t.w)
	}
}

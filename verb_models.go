package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"millwright/historian/rollout"
	"millwright/models/bundle"
	"millwright/plant"
)

type modelsCmd struct {
	Init     modelsInitCmd     `cmd:"" help:"Make the repository of models and its keys."`
	List     modelsListCmd     `cmd:"" help:"List bundles, and what is to run where."`
	Push     modelsPushCmd     `cmd:"" help:"Sign a bundle and add it to the repository."`
	Shadow   modelsShadowCmd   `cmd:"" help:"Run a bundle beside what judges an asset: it scores, and never alarms."`
	Promote  modelsPromoteCmd  `cmd:"" help:"Let a bundle judge an asset."`
	Rollback modelsRollbackCmd `cmd:"" help:"Bring back what judged an asset before."`
	Verify   modelsVerifyCmd   `cmd:"" help:"Check a bundle's file and replay its golden windows here."`
	Renew    modelsRenewCmd    `cmd:"" help:"Sign the repository anew, or replace all keys."`
}

// repositoryFlags say which historian's repository is meant.
type repositoryFlags struct {
	Data   string `help:"Data folder of millwright up (default ./millwright-data)." placeholder:"DIR" xor:"where"`
	Config string `short:"c" help:"Configuration file with the section [historian]." placeholder:"FILE.toml" xor:"where"`
	Who    string `help:"Who does it, for the history (default: the user of this machine)." placeholder:"NAME"`
}

func (f *repositoryFlags) folder() (string, error) {
	h, err := historianOf(f.Data, f.Config, "the models")
	if err != nil {
		return "", err
	}
	return filepath.Join(h.Data, modelsFolder), nil
}

func (f *repositoryFlags) open() (*bundle.Repository, error) {
	dir, err := f.folder()
	if err != nil {
		return nil, err
	}
	return bundle.Open(dir)
}

func (f *repositoryFlags) who() string { return cmp.Or(f.Who, userHere()) }

type modelsInitCmd struct {
	repositoryFlags
	Keys string `required:"" help:"Folder for the offline keys: best a stick." placeholder:"DIR"`
}

// Run makes a repository.
func (c *modelsInitCmd) Run(e *env) error {
	dir, err := c.folder()
	if err != nil {
		return err
	}
	if _, err := bundle.Init(dir, c.Keys, c.who()); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, `repository of models: %s
offline keys: %s
  Copy this folder to two sticks, lock them into a safe, and delete it here.
  Who has it can make models that every edge runs; without it no model can be added.
root for the edges: %s
  Copy it to each edge and name it there: [edge] models_root.
`, dir, c.Keys, filepath.Join(dir, bundle.RootFile))
	return nil
}

type modelsListCmd struct {
	repositoryFlags
	History uint `help:"Lines of the history, newest first." default:"10"`
}

// Run prints what there is and what is to run where.
func (c *modelsListCmd) Run(e *env) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	book := rollout.Book{Dir: r.Dir, Log: e.log}
	all, err := book.Overview(e.ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ASSET\tRUNS\tSHADOW\tBEFORE")
	for _, a := range all.Assets {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Asset, a.Wanted, cmp.Or(a.Shadow, "-"), cmp.Or(a.Previous, "-"))
	}
	if len(all.Assets) == 0 {
		fmt.Fprintln(w, "(each asset runs what its edge has learned)")
	}
	fmt.Fprintln(w, "\nBUNDLE\tFOR\tMADE\tBY\tBYTES\tMETRICS")
	for _, b := range all.Bundles {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", b.ID, cmp.Or(b.Asset, "class "+b.Class), day(b.Created), cmp.Or(b.Author, "-"), b.Size, metricsText(b.Metrics))
	}
	if len(all.Bundles) == 0 {
		fmt.Fprintln(w, "(none: see millwright models push)")
	}
	fmt.Fprintln(w, "\nWHEN (UTC)\tWHO\tWHAT\tBUNDLE\tASSETS\tWHY")
	for _, h := range all.History[:min(int(min(c.History, 1000)), len(all.History))] {
		at := time.Unix(0, h.At).UTC().Format("2006-01-02 15:04:05")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", at, h.Who, h.Action, cmp.Or(h.Bundle, "-"), cmp.Or(strings.Join(h.Assets, " "), "-"), cmp.Or(oneLine(h.Reason), "-"))
	}
	return w.Flush()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func day(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02") }

func metricsText(m map[string]float64) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s=%.4g", name, m[name]))
	}
	return cmp.Or(strings.Join(out, " "), "-")
}

type modelsPushCmd struct {
	repositoryFlags
	File   string `arg:"" help:"Bundle (.mwb) that millwright train has made." placeholder:"FILE.mwb"`
	Keys   string `required:"" help:"Folder with the offline key targets.pem." placeholder:"DIR"`
	Reason string `help:"Why, for the history." placeholder:"TEXT"`
}

// Run signs a bundle and adds it.
func (c *modelsPushCmd) Run(e *env) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	raw, err := readBundle(c.File)
	if err != nil {
		return err
	}
	b, err := r.Push(raw, c.File, c.Keys, c.who(), c.Reason)
	if err != nil {
		return fmt.Errorf("%s is refused: %w", c.File, err)
	}
	fmt.Fprintf(e.stdout, "%s is in the repository. No asset runs it yet: millwright models shadow %s\n", b.ID, b.ID)
	return nil
}

// readBundle reads a file that may be anything.
func readBundle(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, bundle.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return raw, nil
}

// changeFlags say what to do with which assets, here or through a running plant.
type changeFlags struct {
	repositoryFlags
	Asset     []string `help:"Path of the asset; several times for several (default: the bundle's)." placeholder:"PATH" sep:"none"`
	Reason    string   `help:"Why, for the history." placeholder:"TEXT"`
	URL       string   `name:"url" help:"Page of a running plant, to do it there." placeholder:"URL" xor:"where"`
	TokenFile string   `help:"File with the token of an engineer, for --url." placeholder:"FILE"`
}

type modelsShadowCmd struct {
	changeFlags
	ID string `arg:"" optional:"" help:"ID of the bundle; none: no shadow on the named assets." placeholder:"ID"`
}

// Run lets a bundle run in the shadow.
func (c *modelsShadowCmd) Run(e *env) error {
	return c.change(e, "shadow", c.ID, func(b *rollout.Book) error {
		return b.Shadow(e.ctx, c.ID, c.Asset, c.who(), c.Reason)
	})
}

type modelsPromoteCmd struct {
	changeFlags
	ID string `arg:"" help:"ID of the bundle, or learned: what the edge has learned itself." placeholder:"ID"`
}

// Run lets a bundle judge.
func (c *modelsPromoteCmd) Run(e *env) error {
	return c.change(e, "promote", c.ID, func(b *rollout.Book) error {
		return b.Promote(e.ctx, c.ID, c.Asset, c.who(), c.Reason)
	})
}

type modelsRollbackCmd struct {
	changeFlags
}

// Run brings back what judged before.
func (c *modelsRollbackCmd) Run(e *env) error {
	return c.change(e, "rollback", "", func(b *rollout.Book) error {
		return b.Rollback(e.ctx, c.Asset, c.who(), c.Reason)
	})
}

func (c *changeFlags) change(e *env, action, id string, here func(*rollout.Book) error) error {
	if action != "shadow" && strings.TrimSpace(c.Reason) == "" {
		return usageError("say why with --reason: those who look at it later will ask")
	}
	if c.URL != "" {
		if len(c.Asset) == 0 {
			return usageError("--url needs --asset")
		}
		return c.ask(e.ctx, e.stdout, action, id)
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	book := &rollout.Book{Dir: r.Dir, Log: e.log}
	if len(c.Asset) == 0 {
		if c.Asset, err = ownAsset(e.ctx, book, id); err != nil {
			return err
		}
	}
	if err := here(book); err != nil {
		return err
	}
	c.tell(e.stdout, action, id)
	return nil
}

// ownAsset is the asset that a bundle was trained for.
func ownAsset(ctx context.Context, book *rollout.Book, id string) ([]string, error) {
	all, err := book.Overview(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range all.Bundles {
		if b.ID == id && b.Asset != "" {
			return []string{b.Asset}, nil
		}
	}
	if id != "" && id != plant.LearnedModel {
		return nil, fmt.Errorf("%s: no such bundle, or one for a class: name the asset with --asset, see millwright models list", id)
	}
	return nil, usageError("name the asset with --asset")
}

func (c *changeFlags) tell(w io.Writer, action, id string) {
	fmt.Fprintf(w, "%s %s: %s\nEdges follow within a minute, when they reach the plant.\n", action, cmp.Or(id, "-"), strings.Join(c.Asset, ", "))
}

// ask does it through the interface of a running plant.
func (c *changeFlags) ask(ctx context.Context, stdout io.Writer, action, id string) error {
	body, err := json.Marshal(map[string]any{"id": id, "assets": c.Asset, "reason": cmp.Or(c.Reason, "by command")})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	url := strings.TrimSuffix(c.URL, "/") + "/api/v1/models/" + action
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.TokenFile != "" {
		token, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("redirected elsewhere: name the plant's own page with --url")
	}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		var problem struct {
			Detail string `json:"detail"`
		}
		_ = json.Unmarshal(answer, &problem)
		return fmt.Errorf("%s: %s", url, cmp.Or(problem.Detail, res.Status))
	}
	c.tell(stdout, action, id)
	return nil
}

type modelsVerifyCmd struct {
	File string `arg:"" help:"Bundle (.mwb)." placeholder:"FILE.mwb"`
}

// Run says what is in a bundle, and whether this machine gets the trainer's scores.
func (c *modelsVerifyCmd) Run(e *env) error {
	raw, err := readBundle(c.File)
	if err != nil {
		return err
	}
	b, err := bundle.Read(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("bundle", "%s, version %d, %d bytes", b.ID, b.Version, len(raw))
	row("for", "%s (%s)", cmp.Or(b.Asset, "each of the class"), b.Class)
	row("by", "%s on %s, millwright %s", cmp.Or(b.Author, "nobody named"), day(b.Created), b.Software)
	row("trained", "%s to %s, %d rows, data %.12s", day(b.From), day(b.To), b.Rows, b.Hash)
	row("budget", "%g false alarms per asset-week", b.Budget)
	row("metrics", "%s", metricsText(b.Metrics))
	weights := 0
	for i := range b.Trained.Modes {
		m := &b.Trained.Modes[i]
		for _, l := range m.Network.Layers {
			weights += len(l.W) + len(l.B)
		}
		guess := ""
		if m.Guess {
			guess = ", beyond the calibration data"
		}
		row("mode "+m.Mode, "%d tags, window of %d rows of %v, limit %.3g decades%s", len(m.Tags), b.Window, b.Trained.Grid, m.Limit, guess)
	}
	row("weights", "%d", weights)
	cost, err := b.Replay()
	if err != nil {
		return errors.Join(w.Flush(), err)
	}
	windows := 0
	for _, g := range b.Golden {
		windows += len(g.Windows)
	}
	row("golden", "%d windows as where it was trained, %v each on this machine", windows, cost)
	return w.Flush()
}

type modelsRenewCmd struct {
	repositoryFlags
	Keys    string `required:"" help:"Folder with the offline keys root.pem and targets.pem." placeholder:"DIR"`
	NewKeys string `help:"Replace all keys; the new offline ones go there." placeholder:"DIR"`
}

// Run signs root and targets anew.
func (c *modelsRenewCmd) Run(e *env) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	if err := r.Renew(c.Keys, c.NewKeys, c.who()); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, "signed anew")
	if c.NewKeys != "" {
		fmt.Fprintf(e.stdout, "offline keys: %s\n  Lock them into the safe in the place of the old ones, which are void.\n", c.NewKeys)
	}
	return nil
}

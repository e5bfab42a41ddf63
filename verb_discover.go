package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"millwright/collector"
	"millwright/plant"
	"millwright/plant/config"
	"millwright/plant/disk"
)

type discoverCmd struct {
	plcFlags
	Root   string `help:"Node to start at; the Objects folder where empty."`
	Out    string `short:"o" help:"Tag list to write; the terminal where empty. Of one that is there already it is told what differs." placeholder:"FILE.csv"`
	Update bool   `help:"Put new tags at the end of the tag list that is there. Nothing in it is changed or removed."`
	Assets string `help:"Write a draft of the machines, too." placeholder:"FILE.toml"`
}

// Run drafts a tag list from the server's address space, or says what has
// changed since somebody made one of it.
func (c *discoverCmd) Run(e *env) error {
	if c.Update && c.Out == "" {
		return usageError("--update needs -o FILE.csv")
	}
	at, err := c.target(e)
	if err != nil {
		return err
	}
	list, err := readList(c.Out)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.Assets); c.Assets != "" && err == nil {
		return fmt.Errorf("%s is there already: leave --assets out to compare the tag list alone, or choose another name", c.Assets)
	}
	debug.SetGCPercent(50) // a box beside a PLC has more processor than memory to spare
	show := &progress{w: e.stderr, terminal: isTerminal(e.stderr), begun: time.Now()}
	d := &collector.Discovery{URL: at.url, Security: at.security, Root: c.Root, Progress: show.show, Manners: at.manners}
	draft, part := d.Run(e.ctx)
	show.end()
	if draft == nil {
		if errors.Is(part, context.Canceled) {
			return errors.New("stopped: nothing was written")
		}
		return part
	}
	for _, why := range slices.Sorted(maps.Keys(draft.Refused)) {
		fmt.Fprintf(e.stderr, "%d nodes would not be browsed: %s\n", draft.Refused[why], why)
	}
	if len(draft.Tags) == 0 {
		return errors.Join(part, fmt.Errorf("no variable that can be a tag among %d nodes: has this user the right to browse?", draft.Nodes))
	}
	if list == nil {
		err = c.draft(e.stdout, draft)
	} else {
		err = c.compare(e.stdout, draft, list, part == nil && len(draft.Refused) == 0)
	}
	if err == nil && c.Assets != "" {
		err = writeMachines(e.stdout, c.Assets, draft.Machines)
	}
	return errors.Join(err, part)
}

// list is a tag list that is there already.
type list struct {
	src  []byte
	mode fs.FileMode
	tags []plant.Tag
}

// readList gives nil where there is none.
func readList(name string) (*list, error) {
	if name == "" {
		return nil, nil
	}
	st, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var src []byte
	if err == nil {
		src, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, err
	}
	tags, err := config.ParseTags(name, bytes.NewReader(src))
	if err != nil {
		return nil, fmt.Errorf("%w\n%s is there already and cannot be compared: mend it, move it away or choose another name", err, name)
	}
	return &list{src, st.Mode().Perm(), tags}, nil
}

// draft writes a new list.
func (c *discoverCmd) draft(out io.Writer, d *collector.Draft) error {
	comments := []string{}
	for _, l := range d.Left {
		comments = append(comments, fmt.Sprintf("not read: %s, %s: %s", l.Path, l.Node, l.Why))
	}
	if c.Out == "" {
		return config.WriteTags(out, d.Tags, comments)
	}
	var b bytes.Buffer
	if err := config.WriteTags(&b, d.Tags, comments); err != nil {
		return err
	}
	if err := disk.Replace(c.Out, b.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d tags in %s: give them the paths that your people use, delete what does not matter\n", len(d.Tags), c.Out)
	if len(d.Left) > 0 {
		fmt.Fprintf(out, "%d variables are no tags: the reasons stand at the end of the file\n", len(d.Left))
	}
	return nil
}

// compare tells how the server differs from the list, and adds what is new where
// that is wanted. Without a whole view of the server nothing is said to be gone.
func (c *discoverCmd) compare(out io.Writer, d *collector.Draft, l *list, whole bool) error {
	diff := d.Against(l.tags)
	var b strings.Builder
	for _, t := range diff.New {
		fmt.Fprintf(&b, "new      %s  %s", t.Path, t.Node)
		if t.Unit != "" {
			fmt.Fprintf(&b, "  %s", t.Unit)
		}
		b.WriteByte('\n')
	}
	if !whole {
		diff.Gone = nil
	}
	for _, t := range diff.Gone {
		fmt.Fprintf(&b, "gone     %s  %s\n", t.Path, t.Node)
	}
	for _, x := range diff.Changed {
		fmt.Fprintf(&b, "changed  %s  %s\n", x.Tag.Path, x.What)
	}
	fmt.Fprintf(&b, "%d new, %d gone, %d changed against %s (%d tags, %d in the server)\n",
		len(diff.New), len(diff.Gone), len(diff.Changed), c.Out, len(l.tags), len(d.Tags))
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	switch {
	case c.Update && len(diff.New) > 0:
		src, err := config.AppendTags(c.Out, l.src, diff.New, "new in the server, "+time.Now().Format(time.DateOnly))
		if err != nil {
			return err
		}
		if err := disk.Replace(c.Out, src, l.mode); err != nil {
			return err
		}
		fmt.Fprintf(out, "%d tags added at the end of %s; nothing else was changed\n", len(diff.New), c.Out)
	case len(diff.New) > 0:
		fmt.Fprintf(out, "nothing was written: --update puts the new ones at the end of %s\n", c.Out)
	}
	return nil
}

func writeMachines(out io.Writer, name string, machines []collector.Machine) error {
	var assets []plant.Asset
	for _, m := range machines {
		assets = append(assets, m.Asset)
	}
	var b bytes.Buffer
	b.WriteString("# A draft: classes are guessed, modes and limits are missing. See docs/plc.md.\n\n")
	if err := config.WriteAssets(&b, assets, func(i int) []string { return machines[i].Notes }); err != nil {
		return err
	}
	if err := disk.Replace(name, b.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d machines in %s: their classes are guessed from names and units\n", len(assets), name)
	return nil
}

// progress tells how far a discovery has got: on a terminal in one line that
// changes, else in a line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	begun    time.Time
	last     time.Time
	shown    bool
	now      collector.Progress
}

func (p *progress) show(x collector.Progress) {
	every := 5 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	p.now = x
	if p.last.IsZero() {
		p.last = p.begun
	}
	if x.Done || time.Since(p.last) < every {
		return
	}
	p.last, p.shown = time.Now(), true
	p.line()
}

func (p *progress) line() {
	took := time.Since(p.begun)
	text := fmt.Sprintf("%d nodes, %d variables, %d read, %.0f nodes/s, %v",
		p.now.Nodes, p.now.Variables, p.now.Read, float64(p.now.Nodes)/took.Seconds(), took.Round(100*time.Millisecond))
	if p.terminal {
		fmt.Fprintf(p.w, "\r%s\x1b[K", text)
		return
	}
	fmt.Fprintln(p.w, text)
}

// end shows the last state, where any was shown.
func (p *progress) end() {
	if !p.shown {
		return
	}
	p.line()
	if p.terminal {
		fmt.Fprintln(p.w)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

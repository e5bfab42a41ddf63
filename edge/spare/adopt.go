package spare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millwright/collector"
	"millwright/edge/queue"
	"millwright/plant"
	"millwright/plant/checkpoint"
	"millwright/plant/config"
	"millwright/plant/disk"
)

// Names in the data folder of a spare.
const (
	adoptedFile = "adopted.json"
	adoptedDir  = "adopted"
	stagingDir  = "adopting"
	queueDir    = "queue"
	pkiDir      = "pki"
)

// Adopted is whose place a spare has taken.
type Adopted struct {
	Group  string `json:"group"`
	Edge   string `json:"edge"`
	Number int64  `json:"number"` // of the checkpoint
	At     int64  `json:"at"`     // ns UTC
}

// ReadAdopted says whose place the spare with this data folder has taken; nil: nobody's.
func ReadAdopted(data string) (*Adopted, error) {
	raw, err := os.ReadFile(filepath.Join(data, adoptedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	a := &Adopted{}
	if err == nil {
		err = json.Unmarshal(raw, a)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: millwright edge adopt makes it anew", adoptedFile, err)
	}
	return a, nil
}

// ConfigOf is the file of the adopted edge's configuration.
func ConfigOf(data string) string {
	return filepath.Join(data, adoptedDir, filepath.FromSlash(configFile))
}

// Spare is a box that waits. Say tells people what is done, a line each.
type Spare struct {
	Config  *config.Spare
	Plant   *Plant
	Program string
	Say     func(format string, args ...any)
	// Bundles brings the trained models that an edge runs; nil: none.
	Bundles func(ctx context.Context, c *config.Config) (ids []string, err error)
	// Security says how a PLC is met by an edge that keeps its data in a folder.
	Security func(p config.PLC, data string) collector.Security
}

// Adopt takes the place of an edge: fetches its checkpoint, sees whether this box
// can be it, has the plant retire the box that was, and puts everything in place.
// It may be called again after it was cut off. An alive edge is refused unless
// alive is set.
func (s *Spare) Adopt(ctx context.Context, edge string, alive bool) error {
	data := s.Config.Data
	is, err := ReadAdopted(data)
	if err == nil && is != nil {
		if is.Edge == edge || is.Group+"/"+is.Edge == edge {
			s.Say("this box is %s already", is.Edge)
			return nil
		}
		return fmt.Errorf("this box is %s: millwright edge release gives that back, then adopt %s", is.Edge, edge)
	}
	if err := s.empty(); err != nil {
		return err
	}
	s.Say("asking %s for the checkpoint of %s", s.Plant.URL, edge)
	c, number, err := s.Plant.Load(ctx, edge)
	if err != nil {
		return err
	}
	s.Say("checkpoint %d of the box %s, made %s: %d tags, %d files", number, c.Box, age(c.Created), len(c.Tags), len(c.Files))
	cfg, err := s.stage(c, filepath.Join(data, stagingDir))
	if err != nil {
		return err
	}
	for _, line := range s.meet(ctx, cfg, filepath.Join(data, stagingDir, "data")) {
		s.Say("%s", line)
	}
	a, err := s.Plant.Adopt(ctx, edge, alive)
	if err != nil {
		return errors.Join(err, os.RemoveAll(filepath.Join(data, stagingDir)))
	}
	if a.Box != "" {
		s.Say("the plant has retired the box %s: it is refused when it comes back", a.Box)
	}
	if err := s.settle(c, a); err != nil {
		return fmt.Errorf("%w: the plant takes this box for %s already; free space or mend the disk, then adopt %s again", err, edge, edge)
	}
	if s.Bundles != nil {
		if cfg, err = config.Adopted(ConfigOf(data), s.Config); err != nil {
			return err
		}
		switch ids, err := s.Bundles(ctx, cfg); {
		case err != nil:
			s.Say("trained models come later: %v", err)
		case len(ids) > 0:
			s.Say("trained models: %s", strings.Join(ids, ", "))
		}
	}
	raw, err := json.MarshalIndent(Adopted{a.Group, a.Edge, number, time.Now().UnixNano()}, "", " ")
	if err == nil {
		err = disk.Replace(filepath.Join(data, adoptedFile), raw, 0o600)
	}
	if err != nil {
		return err
	}
	s.Say("this box is %s now", a.Edge)
	return nil
}

// empty refuses a data folder in which another life left records that nobody has.
func (s *Spare) empty() error {
	dir := filepath.Join(s.Config.Data, queueDir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(s.Config.Data, 0o700)
	}
	q, err := queue.Open(queue.Config{Dir: dir})
	if err != nil {
		return err
	}
	n := q.Stats().Records
	if err := q.Close(); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%s holds %d records that were never sent: move the folder away, and once this box is in service millwright edge recover FOLDER sends them where they belong", dir, n)
	}
	return os.RemoveAll(dir)
}

// travels are the files that a checkpoint may put into a data folder.
func travels(name string) bool {
	dir, base := filepath.Split(name)
	switch dir {
	case "":
		return base == stateFile || base == bdSeqFile || strings.Contains(base, ".subscription")
	case modelsDir + "/":
		return base == "applied.json" || base == "orders.json"
	case pkiDir + "/":
		return base == "clock"
	case pkiDir + "/trusted/", pkiDir + "/issuers/":
		return true
	}
	return false
}

// stage writes a checkpoint into a folder beside everything and reads the
// configuration from there, as this box would be the edge.
func (s *Spare) stage(c *checkpoint.Checkpoint, dir string) (*config.Config, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	for _, f := range c.Files {
		rest, isData := strings.CutPrefix(f.Name, "data/")
		if !strings.HasPrefix(f.Name, "config/") && !(isData && travels(rest)) {
			return nil, fmt.Errorf("the checkpoint holds %s, which no edge needs: it is not used", f.Name)
		}
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, err
		}
		if err := disk.Replace(name, c.Content(f.Name), 0o600); err != nil {
			return nil, err
		}
	}
	cfg, err := config.Adopted(filepath.Join(dir, filepath.FromSlash(configFile)), s.Config)
	if err != nil {
		return nil, fmt.Errorf("this box cannot be %s yet:\n%w\npasswords and keys do not travel: put them into %s", c.Edge, err, s.Config.Secrets)
	}
	return cfg, nil
}

// meet tries every PLC of an edge with this box's certificate and what the other
// one trusts, and says what was found.
func (s *Spare) meet(ctx context.Context, cfg *config.Config, data string) (lines []string) {
	for _, p := range cfg.PLCs {
		if problem := s.meetPLC(ctx, p, data); problem != "" {
			lines = append(lines, problem)
		} else {
			lines = append(lines, fmt.Sprintf("PLC %s (%s) lets this box in", p.Name, p.URL))
		}
	}
	return lines
}

// meetPLC says why a PLC does not let this box in, or nothing.
func (s *Spare) meetPLC(ctx context.Context, p config.PLC, data string) string {
	sec := s.Security(p, s.Config.Data)
	if sec.PKI == filepath.Join(s.Config.Data, pkiDir) { // our key, the other box's trust
		both, err := s.bothPKI(data)
		if err != nil {
			return fmt.Sprintf("PLC %s was not tried: %v", p.Name, err)
		}
		defer os.RemoveAll(both)
		sec.PKI = both
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	r, err := collector.Probe(ctx, p.URL, sec)
	switch {
	case err != nil:
		return fmt.Sprintf("PLC %s (%s) does not answer: %v", p.Name, p.URL, err)
	case r.Trusted != nil:
		return fmt.Sprintf("PLC %s shows a certificate that the edge does not trust: %v", p.Name, r.Trusted)
	case r.Login != nil:
		return fmt.Sprintf("PLC %s (%s) does not let this box in: %v: let it trust %s, or put its password into %s", p.Name, p.URL, r.Login,
			filepath.Join(s.Config.Data, pkiDir, "own", "millwright.der"), s.Config.Secrets)
	}
	return ""
}

// bothPKI is a folder for a moment with this box's own certificate and the trust of
// a checkpoint.
func (s *Spare) bothPKI(data string) (string, error) {
	if _, _, err := collector.Own(filepath.Join(s.Config.Data, pkiDir)); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(s.Config.Data, "trying-")
	if err != nil {
		return "", err
	}
	for _, from := range []string{filepath.Join(s.Config.Data, pkiDir, "own"), filepath.Join(data, pkiDir, "trusted"), filepath.Join(data, pkiDir, "issuers")} {
		to := filepath.Join(dir, filepath.Base(from))
		if err := os.MkdirAll(to, 0o700); err != nil {
			return dir, err
		}
		files, _ := os.ReadDir(from) // a checkpoint may have none
		for _, f := range files {
			raw, err := os.ReadFile(filepath.Join(from, f.Name()))
			if err == nil {
				err = os.WriteFile(filepath.Join(to, f.Name()), raw, 0o600)
			}
			if err != nil {
				return dir, err
			}
		}
	}
	return dir, nil
}

// settle puts what was staged in place, and makes of it what this box needs.
func (s *Spare) settle(c *checkpoint.Checkpoint, a plant.Adoption) error {
	data, dir := s.Config.Data, filepath.Join(s.Config.Data, stagingDir)
	if _, _, err := collector.Own(filepath.Join(data, pkiDir)); err != nil {
		return err
	}
	ids := map[string]plant.TagID{}
	q, err := queue.Open(queue.Config{Dir: filepath.Join(data, queueDir)})
	if err != nil {
		return err
	}
	for _, t := range c.Tags {
		ids[t.Tag.Path] = t.Tag.ID
		if err := q.Seed(t.Device, []plant.Tag{t.Tag}); err != nil {
			return errors.Join(err, q.Close())
		}
	}
	if err := q.Close(); err != nil {
		return err
	}
	last := map[plant.TagID]int64{}
	for path, at := range a.Last {
		if id, ok := ids[path]; ok {
			last[id] = at
		}
	}
	for _, f := range c.Files {
		name, isData := strings.CutPrefix(f.Name, "data/")
		if !isData {
			continue
		}
		from, to := filepath.Join(dir, "data", filepath.FromSlash(name)), filepath.Join(data, filepath.FromSlash(name))
		if strings.HasSuffix(name, ".subscription") {
			if err := collector.Rejoin(from, last, a.Behind); err != nil {
				s.Say("what was read last of a PLC is not known, the gap is declared by its first value: %v", err)
				continue
			}
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(data, adoptedDir)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(data, adoptedDir), 0o700); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "config"), filepath.Join(data, adoptedDir, "config")); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// Release gives the edge back: the box that was retired may be it again. What this
// box has gathered as the edge is set aside in a folder, whose unsent records can
// be recovered where they belong.
func (s *Spare) Release(ctx context.Context) error {
	data := s.Config.Data
	is, err := ReadAdopted(data)
	if err != nil {
		return err
	}
	if is == nil {
		return errors.New("this box has taken nobody's place: there is nothing to give back")
	}
	if err := s.Plant.Release(ctx, is.Group+"/"+is.Edge); err != nil {
		return err
	}
	// First the file that makes a running service stop being the edge.
	if err := os.Remove(filepath.Join(data, adoptedFile)); err != nil {
		return err
	}
	aside := filepath.Join(data, fmt.Sprintf("released-%s-%d", is.Edge, time.Now().Unix()))
	if err := os.Mkdir(aside, 0o700); err != nil {
		return err
	}
	s.Say("waiting for the service to let go of the folder")
	if err := s.free(ctx); err != nil {
		return err
	}
	files, err := os.ReadDir(data)
	if err != nil {
		return err
	}
	for _, f := range files {
		name := f.Name()
		if name == pkiDir || strings.HasPrefix(name, "released-") {
			continue
		}
		if err := os.Rename(filepath.Join(data, name), filepath.Join(aside, name)); err != nil {
			return err
		}
	}
	for _, place := range []string{"trusted", "issuers", "clock"} {
		if err := os.RemoveAll(filepath.Join(data, pkiDir, place)); err != nil {
			return err
		}
	}
	s.Say("%s is given back; what this box had gathered as %s lies in %s", is.Edge, is.Edge, aside)
	return nil
}

// free waits until nobody has the queue open any more.
func (s *Spare) free(ctx context.Context) error {
	for {
		q, err := queue.Open(queue.Config{Dir: filepath.Join(s.Config.Data, queueDir)})
		if err == nil {
			return q.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped while the service still has the folder open: %w", err)
		case <-time.After(time.Second):
		}
	}
}

// Prepare tries for each edge whether this box could take its place, tells the
// plant, and returns what it told.
func (s *Spare) Prepare(ctx context.Context) (plant.SpareBox, error) {
	me := plant.SpareBox{Name: s.Config.Name, Program: s.Program, Ready: []plant.SpareReady{}}
	if err := os.MkdirAll(s.Config.Data, 0o700); err != nil {
		return me, err
	}
	file, sum, err := collector.Own(filepath.Join(s.Config.Data, pkiDir))
	if err != nil {
		return me, err
	}
	me.Certificate = sum
	s.Say("certificate of this box: %s, SHA-256 %s", file, sum)
	edges, err := s.Plant.Edges(ctx)
	if err != nil {
		return me, err
	}
	slices.SortFunc(edges, func(a, b Edge) int { return strings.Compare(a.Edge, b.Edge) })
	for _, e := range edges {
		r := plant.SpareReady{Edge: e.Group + "/" + e.Edge, Number: e.Number, Problems: []string{}}
		r.Problems = append(r.Problems, s.try(ctx, e)...)
		me.Ready = append(me.Ready, r)
		if len(r.Problems) == 0 {
			s.Say("ok    %s: this box could take its place", e.Edge)
		}
		for _, p := range r.Problems {
			s.Say("fail  %s: %s", e.Edge, p)
		}
	}
	return me, s.Plant.Report(ctx, me)
}

// try says what keeps this box from taking the place of an edge.
func (s *Spare) try(ctx context.Context, e Edge) (problems []string) {
	c, _, err := s.Plant.Load(ctx, e.Group+"/"+e.Edge)
	if err != nil {
		return []string{err.Error()}
	}
	dir, err := os.MkdirTemp(s.Config.Data, "trying-")
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(dir)
	cfg, err := s.stage(c, dir)
	if err != nil {
		return strings.Split(err.Error(), "\n")
	}
	for _, p := range cfg.PLCs {
		if problem := s.meetPLC(ctx, p, filepath.Join(dir, "data")); problem != "" {
			problems = append(problems, problem)
		}
	}
	return problems
}

// age says how long ago a time was, as far as people want to know.
func age(ns int64) string {
	d := time.Since(time.Unix(0, ns))
	switch {
	case d < 0:
		return "at a time that this box's clock has not reached"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h ago", int(d.Hours()))
}

package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	follow "millwright/edge/rollout"
	"millwright/edge/spare"
	"millwright/hmi/account"
	"millwright/plant/config"
	"millwright/plant/disk"
)

type edgeCmd struct {
	Enrol   edgeEnrolCmd   `cmd:"" help:"On the plant: make the token of a box, for its plant_token_file."`
	Prepare edgePrepareCmd `cmd:"" help:"On a spare: make its certificate and try for each edge whether it could take its place."`
	Adopt   edgeAdoptCmd   `cmd:"" help:"On a spare: take the place of a dead edge."`
	Recover edgeRecoverCmd `cmd:"" help:"On an edge: take in what the disk of a dead box still holds."`
	Release edgeReleaseCmd `cmd:"" help:"On a spare: give back the place that it took, such as that of the wrong edge."`
}

type edgeEnrolCmd struct {
	Config string `short:"c" required:"" help:"Configuration file of the plant." placeholder:"FILE.toml"`
	Name   string `arg:"" help:"Name of the box: the same as its account at the broker."`
	Spare  bool   `help:"It is a spare, which may take the place of an edge."`
}

// Run makes an account for a box and prints its token, once. A box that has one
// gets a new token; the one before is void.
func (c *edgeEnrolCmd) Run(e *env) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if cfg.HMI == nil {
		return fmt.Errorf("%s has no [hmi] section, which holds the accounts", c.Config)
	}
	if cfg.HMI.NoLogin {
		return fmt.Errorf("%s has no_login = true: boxes need no token there, leave plant_token_file out", c.Config)
	}
	book, err := account.Open(cfg.HMI.Data)
	if err != nil {
		return err
	}
	defer book.Close()
	role := account.Box
	if c.Spare {
		role = account.Spare
	}
	var secret [24]byte // nobody logs in with it
	_, _ = rand.Read(secret[:])
	if err := book.Add(e.ctx, c.Name, role, base64.RawURLEncoding.EncodeToString(secret[:])); err != nil && !errors.Is(err, account.ErrExists) {
		return err
	}
	token, err := book.Token(e.ctx, c.Name)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, token)
	return nil
}

// spareFlags name the configuration of a spare.
type spareFlags struct {
	Config string `short:"c" required:"" help:"Configuration file with the section [spare]." placeholder:"FILE.toml"`
}

func (f *spareFlags) open(e *env) (*spare.Spare, error) {
	cfg, err := config.Load(f.Config)
	if err != nil {
		return nil, err
	}
	if cfg.Spare == nil {
		return nil, fmt.Errorf("%s has no [spare] section: only a spare takes the place of an edge (docs/swap.md)", f.Config)
	}
	return newSpare(cfg.Spare, func(format string, args ...any) { fmt.Fprintf(e.stdout, format+"\n", args...) }), nil
}

func newSpare(c *config.Spare, say func(string, ...any)) *spare.Spare {
	floor := disk.Passed(c.Data)
	return &spare.Spare{
		Config: c, Program: version, Say: say, Security: securityOf, Bundles: bringBundles,
		Plant: &spare.Plant{URL: c.Plant, CA: c.PlantCA, Token: c.PlantToken, Box: c.Name, Now: func() time.Time { return disk.NotBefore(floor) }},
	}
}

// bringBundles fetches the trained models that an adopted edge runs.
func bringBundles(ctx context.Context, c *config.Config) ([]string, error) {
	if c.Edge.Models == "" {
		return nil, nil
	}
	root, err := os.ReadFile(c.Edge.ModelsRoot)
	if err != nil {
		return nil, err
	}
	f := &follow.Agent{Edge: c.Edge.Name, URL: c.Edge.Models + "/tuf/", CA: c.Edge.ModelsCA, Root: root, Dir: filepath.Join(c.Edge.Data, modelsFolder)}
	return f.Bring(ctx)
}

type edgePrepareCmd struct{ spareFlags }

// Run says what is still to be done before this box can take the place of edges.
func (c *edgePrepareCmd) Run(e *env) error {
	s, err := c.open(e)
	if err != nil {
		return err
	}
	me, err := s.Prepare(e.ctx)
	if err != nil {
		return err
	}
	bad := 0
	for _, r := range me.Ready {
		if len(r.Problems) > 0 {
			bad++
		}
	}
	switch {
	case len(me.Ready) == 0:
		return errors.New("no edge keeps checkpoints at the plant yet: key plant of [edge], then prepare again")
	case bad > 0:
		return fmt.Errorf("not ready for %d of %d edges: mend the lines above and prepare again", bad, len(me.Ready))
	}
	fmt.Fprintf(e.stdout, "%s is ready for %d edges\n", s.Config.Name, len(me.Ready))
	return nil
}

type edgeAdoptCmd struct {
	spareFlags
	Name  string `arg:"" help:"Name of the dead edge, as it stands on the box and on the page Edges."`
	Alive bool   `help:"Also when the edge delivers: its box is retired at once."`
}

// Run takes the place of an edge.
func (c *edgeAdoptCmd) Run(e *env) error {
	s, err := c.open(e)
	if err != nil {
		return err
	}
	if err := s.Adopt(e.ctx, c.Name, c.Alive); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "the service takes it up within seconds (if it does not run: systemctl start millwright-edge); the page Edges shows %s live\n", c.Name)
	fmt.Fprintf(e.stdout, "wrong name? millwright edge release -c %s\n", c.Config)
	return nil
}

type edgeReleaseCmd struct{ spareFlags }

// Run undoes an adoption.
func (c *edgeReleaseCmd) Run(e *env) error {
	s, err := c.open(e)
	if err != nil {
		return err
	}
	return s.Release(e.ctx)
}

type edgeRecoverCmd struct {
	Config string `short:"c" required:"" help:"Configuration file of this box: with [edge], or a [spare] that has adopted." placeholder:"FILE.toml"`
	Folder string `arg:"" help:"Data folder of the dead box, on its disk." placeholder:"DIR"`
}

// Run hands the queue of a dead box to the edge that has its place.
func (c *edgeRecoverCmd) Run(e *env) error {
	cfg, err := config.Load(c.Config)
	if cfg == nil || cfg.Edge == nil && cfg.Spare == nil {
		if err == nil {
			err = errors.New("it has no [edge] and no [spare]")
		}
		return fmt.Errorf("%s: %w", c.Config, err)
	}
	data := ""
	if cfg.Edge != nil {
		data = cfg.Edge.Data
	} else {
		data = cfg.Spare.Data
		if a, err := spare.ReadAdopted(data); a == nil || err != nil {
			return errors.Join(err, errors.New("this spare is nobody yet: first millwright edge adopt NAME, where NAME is the edge whose disk that is"))
		}
	}
	return spare.Recover(e.ctx, c.Folder, data, func(format string, args ...any) { fmt.Fprintf(e.stdout, format+"\n", args...) })
}

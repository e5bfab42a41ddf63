package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millwright/edge"
	"millwright/edge/queue"
	"millwright/edge/spare"
	"millwright/historian/alarm"
	"millwright/historian/boxes"
	"millwright/historian/broker"
	"millwright/plant"
	"millwright/plant/checkpoint"
	"millwright/plant/config"
)

// boxesFolder is where the historian keeps checkpoints.
const boxesFolder = "boxes"

// How often a spare that waits looks whether it was told to be an edge, and tries
// whether it could be each; how often a retired box asks whether it still is.
const (
	adoptedEvery = time.Second
	prepareEvery = time.Hour
	placeEvery   = 30 * time.Second
)

// openBoxes opens the plant's record of boxes, once.
func (w *works) openBoxes(historian string) (*boxes.Book, error) {
	if w.boxes == nil {
		w.boxes = &boxes.Book{Dir: filepath.Join(historian, boxesFolder), Log: w.log.With("role", "boxes")}
		if err := w.boxes.Open(); err != nil {
			return nil, err
		}
	}
	return w.boxes, nil
}

// assign makes the users of the broker what their boxes are now: a spare that took
// a place is that edge, and the account of the box that was is nobody's.
func (w *works) assign(users []broker.User) []broker.User {
	nodes, retired := w.boxes.Accounts()
	out := make([]broker.User, 0, len(users))
	for _, u := range users {
		group, node, _ := strings.Cut(nodes[u.Name], "/")
		switch {
		case u.Role == broker.Edge && retired[u.Name] == u.Group+"/"+u.Node:
			continue
		case u.Role == broker.Spare && node != "" && group == u.Group:
			u.Role, u.Node = broker.Edge, node
		}
		out = append(out, u)
	}
	return out
}

// awaitPlace returns when this box may be its edge. One that was retired waits, and
// says why: another box is the edge, and two would talk over each other. A plant
// that is out of reach says nothing against it.
func (w *works) awaitPlace(ctx context.Context, p *spare.Plant, c *config.Edge, log *slog.Logger) error {
	told := ""
	for {
		err := p.Place(ctx, c.Group, c.Name)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return spare.Unretire(c.Data)
		case errors.Is(err, spare.ErrRetired):
			if err := spare.Retire(c.Data, err.Error()); err != nil {
				log.Error("it is not kept that this box is retired", "err", err)
			}
		case errors.Is(err, spare.ErrUnreachable):
			was, readErr := spare.Retired(c.Data)
			if readErr != nil || was == "" {
				return readErr
			}
			err = errors.New(was)
		default: // the account, or another box: said, and no reason to leave a machine unwatched
			log.Error("the plant does not take this box for the edge", "edge", c.Name, "err", err)
			return nil
		}
		if err.Error() != told {
			told = err.Error()
			log.Error("this box does not start as an edge", "edge", c.Name, "reason", told)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(placeEvery):
		}
	}
}

// keeper keeps the checkpoint of an edge at the plant; nil where it is to be kept
// nowhere.
func (w *works) keeper(a *edge.Agent, cfg *config.Config) *spare.Keeper {
	c := cfg.Edge
	if c.Plant == "" || cfg.File == "" {
		return nil
	}
	box := &spare.Box{Group: c.Group, Edge: c.Name, Name: c.Box, Program: version, Config: cfg.File, Files: cfg.Files, Data: c.Data, Queue: a.Queue}
	for _, p := range cfg.PLCs {
		box.PLCs = append(box.PLCs, p.Name)
		box.PKI = append(box.PKI, securityOf(p, c.Data).PKI)
	}
	return &spare.Keeper{
		Plant: w.plantOf(c), Found: a.Found, Log: a.Log,
		Take: func() (*checkpoint.Checkpoint, error) { return box.Take(time.Now()) },
	}
}

func (w *works) plantOf(c *config.Edge) *spare.Plant {
	return &spare.Plant{URL: c.Plant, CA: c.PlantCA, Token: c.PlantToken, Box: c.Box, Now: w.now}
}

// errReleased ends the roles of an edge that was given back.
var errReleased = errors.New("this box has given its edge back")

// runSpare waits until this box is told to take the place of an edge, is that edge
// until the place is given back, and waits again.
func runSpare(e *env, c *config.Spare) error {
	for {
		if err := waitAsSpare(e.ctx, c, e.log.With("role", "spare")); err != nil || e.ctx.Err() != nil {
			return err
		}
		cfg, err := config.Adopted(spare.ConfigOf(c.Data), c)
		if err != nil {
			return fmt.Errorf("%w: mend it, or millwright edge release", err)
		}
		w := newWorks(e.log)
		if err = w.startEdge(e.ctx, cfg); err == nil {
			err = w.crew.start(e.ctx, &role{name: "place", run: func(ctx context.Context) error { return watchAdopted(ctx, c) }})
		}
		if err == nil {
			e.log.Info("running", "roles", strings.Join(w.crew.names(), ","), "edge", cfg.Edge.Name, "version", version)
		}
		if err = w.crew.finish(e.ctx, err); !errors.Is(err, errReleased) {
			return err
		}
	}
}

// waitAsSpare tries now and then whether this box could be each edge, until it is
// told to be one or ctx ends.
func waitAsSpare(ctx context.Context, c *config.Spare, log *slog.Logger) error {
	if a, err := spare.ReadAdopted(c.Data); a != nil || err != nil {
		return err
	}
	log.Info("waiting to take the place of an edge", "next", "millwright edge adopt NAME")
	var tried time.Time
	told := ""
	for {
		a, err := spare.ReadAdopted(c.Data)
		if err != nil {
			return err
		}
		if a != nil {
			return nil
		}
		if tried.IsZero() || time.Since(tried) > prepareEvery {
			tried = time.Now()
			s := newSpare(c, func(string, ...any) {})
			if _, err := s.Prepare(ctx); err != nil && ctx.Err() == nil && err.Error() != told {
				told = err.Error()
				log.Warn("the plant does not know what this spare is ready for", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(adoptedEvery):
		}
	}
}

// watchAdopted ends when the place that this box took is given back.
func watchAdopted(ctx context.Context, c *config.Spare) error {
	for {
		a, err := spare.ReadAdopted(c.Data)
		if err == nil && a == nil {
			return errReleased
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(adoptedEvery):
		}
	}
}

// teller brings findings of the plant's side into the alarm book. They are numbered
// like an edge's records, under the host's name.
type teller struct {
	host string
	book *alarm.Book

	mu     sync.Mutex // guards what follows
	epoch  uint64
	number uint64
}

func (t *teller) tell(ctx context.Context, f plant.Finding) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epoch == 0 {
		t.epoch = 1 + rand.Uint64N(1<<53-1)
	}
	t.number++
	return t.book.Apply(ctx, t.host, t.epoch, t.number, []plant.Finding{f})
}

func (g *gauges) boxes(b *boxes.Book) {
	g.add(func(emit emit) {
		edges, spares := b.All()
		now := time.Now()
		for _, e := range edges {
			emit("edge_checkpoint_age_seconds", "Since the last checkpoint of the edge came.", prometheus.GaugeValue, now.Sub(time.Unix(0, e.Saved)).Seconds(), "edge", e.Edge)
			emit("edge_checkpoint_bytes", "Size of the last checkpoint of the edge.", prometheus.GaugeValue, float64(e.Size), "edge", e.Edge)
			ready := 0
			for _, s := range spares {
				for _, r := range s.Ready {
					if s.Edge == "" && r.Edge == e.Group+"/"+e.Edge && len(r.Problems) == 0 {
						ready++
					}
				}
			}
			emit("edge_spares_ready", "Spares that could take the place of the edge.", prometheus.GaugeValue, float64(ready), "edge", e.Edge)
		}
	})
}

func (g *gauges) keeper(k *spare.Keeper) {
	g.add(func(emit emit) {
		emit("edge_checkpoint_kept_timestamp_seconds", "When the plant said last that it has a checkpoint of this edge; 0: not since the start.", prometheus.GaugeValue, float64(k.Kept())/1e9)
	})
}

// takeRecovered takes in what was put beside the queue of an edge that runs, until ctx ends.
func takeRecovered(ctx context.Context, q *queue.Queue, dir string) error {
	seen := map[string]bool{}
	for {
		found, err := filepath.Glob(dir + ".damaged-*")
		if err != nil {
			return err
		}
		for _, name := range found {
			if !seen[name] && q.Salvage() {
				seen[name] = true
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(adoptedEvery):
		}
	}
}

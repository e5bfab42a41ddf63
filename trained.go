package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"millwright/edge"
	follow "millwright/edge/rollout"
	"millwright/historian/rollout"
	"millwright/models/detect"
	"millwright/plant"
	"millwright/plant/config"
)

// modelsFolder is the repository of trained models in the historian's data
// folder, and what an edge keeps of it in its own.
const modelsFolder = "models"

// openModels opens the plant's side of trained models. There need be no
// repository yet.
func (w *works) openModels(m *memory) (*rollout.Book, error) {
	b := &rollout.Book{
		Dir: filepath.Join(m.dir, modelsFolder), Store: m.store, Alarms: m.book, Edges: m.ingest.Edges, Log: w.log.With("role", "models"),
	}
	if err := b.Open(); err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	return b, nil
}

// followModels runs what ran before on an edge that follows a plant's plan; nil
// where it keeps to what it learns.
func (w *works) followModels(a *edge.Agent, set *detect.Set, c *config.Edge, obey func(plant.Order) error) (*follow.Agent, error) {
	if c.Models == "" {
		return nil, nil
	}
	root, err := os.ReadFile(c.ModelsRoot)
	if err != nil {
		return nil, fmt.Errorf("models_root: %w", err)
	}
	f := &follow.Agent{
		Edge: c.Name, URL: c.Models + "/tuf/", CA: c.ModelsCA, Root: root, Dir: filepath.Join(c.Data, modelsFolder),
		Assets: c.Assets, Models: a.Guard(set), Tell: a.Tell, Now: w.now, Log: a.Log,
		Changed: func() { a.Uplink.Changed() },
	}
	a.Models = f.Status
	if c.Orders != "box" {
		f.Obey, a.Orders = obey, f.Orders
	}
	return f, f.Open()
}

// monotonic is a clock in ns that no one sets.
func monotonic() func() int64 {
	start := time.Now()
	return func() int64 { return int64(time.Since(start)) }
}

package bundle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"millwright/plant"
)

// Bounds of the plan.
const (
	maxPlan    = 1 << 20 // bytes of rollout.json
	maxAssets  = 5000
	maxHistory = 500
	maxOrders  = 200
	maxReason  = 500 // bytes
	planTarget = "rollout.json"
)

// Errors of changing a plan.
var (
	ErrReason  = errors.New("a reason is needed")
	ErrNothing = errors.New("nothing to do")
)

// Plan says which asset runs which bundle. Version grows with every change.
type Plan struct {
	Version int64        `json:"version"`
	Assets  []Assignment `json:"assets"`  // by asset
	History []Entry      `json:"history"` // oldest first, the last 500

	Orders []plant.Order `json:"orders,omitempty"` // oldest first, the last 200
}

// Assignment is the plan for one asset. IDs are of bundles; Running and Previous
// may be plant.LearnedModel, Shadow may be empty.
type Assignment struct {
	Asset    string `json:"asset"`
	Running  string `json:"running"`
	Shadow   string `json:"shadow,omitempty"`
	Previous string `json:"previous"` // what a rollback brings back
	Change   int64  `json:"change"`   // version of the plan that changed this line last
	At       int64  `json:"at"`       // when that was, ns UTC
}

// Entry is a line of the history.
type Entry struct {
	At     int64    `json:"at"` // ns UTC
	Who    string   `json:"who"`
	Action string   `json:"action"` // "init", "push", "shadow", "promote", "rollback", "refuse", "renew"
	Bundle string   `json:"bundle,omitempty"`
	Assets []string `json:"assets,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// DecodePlan reads a plan and checks it.
func DecodePlan(b []byte) (Plan, error) {
	var p Plan
	if len(b) > maxPlan {
		return p, fmt.Errorf("plan: %d bytes, at most %d", len(b), maxPlan)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Plan{}, errors.New("plan: something follows it")
	}
	if err := p.check(); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}

func (p *Plan) check() error {
	if p.Version < 1 || len(p.Assets) > maxAssets || len(p.History) > maxHistory {
		return fmt.Errorf("version %d, %d assets and %d lines of history: from 1, at most %d, at most %d",
			p.Version, len(p.Assets), len(p.History), maxAssets, maxHistory)
	}
	if len(p.Orders) > maxOrders {
		return fmt.Errorf("%d orders, at most %d", len(p.Orders), maxOrders)
	}
	for i := range p.Orders {
		o := &p.Orders[i]
		if err := o.Check(); err != nil {
			return err
		}
		if o.Number < 1 || o.Number > p.Version || i > 0 && o.Number <= p.Orders[i-1].Number {
			return fmt.Errorf("order %d of version %d is out of order", o.Number, p.Version)
		}
	}
	for i, a := range p.Assets {
		if a.Asset == "" || len(a.Asset) > maxName || i > 0 && a.Asset <= p.Assets[i-1].Asset {
			return fmt.Errorf("asset %.200q: empty, too long or out of order", a.Asset)
		}
		if a.Change < 1 || a.Change > p.Version {
			return fmt.Errorf("asset %s: changed by version %d of %d", a.Asset, a.Change, p.Version)
		}
		for _, id := range []string{a.Running, a.Previous, a.Shadow} {
			if err := CheckID(id); err != nil && id != plant.LearnedModel && id != "" || id == "" && (a.Running == "" || a.Previous == "") {
				return fmt.Errorf("asset %s: %.130q is no bundle", a.Asset, id)
			}
		}
		if a.Shadow == plant.LearnedModel {
			return fmt.Errorf("asset %s: the learned model is no shadow", a.Asset)
		}
	}
	return nil
}

// encode drops the oldest lines of the history until it fits its bounds.
func (p *Plan) encode() ([]byte, error) {
	p.History = p.History[max(0, len(p.History)-maxHistory):]
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	for {
		b, err := json.Marshal(p)
		if err != nil || len(b) <= maxPlan {
			return b, err
		}
		if len(p.History) < 2 {
			return nil, fmt.Errorf("plan: %d bytes, at most %d", len(b), maxPlan)
		}
		p.History = p.History[len(p.History)/2:]
	}
}

// Of is the plan for an asset.
func (p *Plan) Of(asset string) Assignment {
	if i, ok := p.find(asset); ok {
		return p.Assets[i]
	}
	return Assignment{Asset: asset, Running: plant.LearnedModel, Previous: plant.LearnedModel}
}

func (p *Plan) find(asset string) (int, bool) {
	return slices.BinarySearchFunc(p.Assets, asset, func(a Assignment, s string) int { return cmp.Compare(a.Asset, s) })
}

func (p *Plan) set(a Assignment, at int64) {
	a.Change, a.At = p.Version, at
	i, ok := p.find(a.Asset)
	if ok {
		p.Assets[i] = a
		return
	}
	p.Assets = slices.Insert(p.Assets, i, a)
}

// Shadow lets a bundle run beside what judges the assets; an empty id ends that.
func (p *Plan) Shadow(e Entry) error {
	e.Action = "shadow"
	for _, asset := range e.Assets {
		a := p.Of(asset)
		if e.Bundle != "" && a.Running == e.Bundle {
			return fmt.Errorf("%s runs %s already: %w", asset, e.Bundle, ErrNothing)
		}
		a.Shadow = e.Bundle
		p.set(a, e.At)
	}
	p.tell(e)
	return nil
}

// Promote lets a bundle, or the learned model, judge the assets.
func (p *Plan) Promote(e Entry) error {
	e.Action = "promote"
	if strings.TrimSpace(e.Reason) == "" {
		return fmt.Errorf("promote: %w", ErrReason)
	}
	for _, asset := range e.Assets {
		a := p.Of(asset)
		// Promoting what runs asks an edge that has dropped it to try again.
		if a.Running != e.Bundle {
			a.Previous, a.Running = a.Running, e.Bundle
		}
		if a.Shadow == e.Bundle {
			a.Shadow = ""
		}
		p.set(a, e.At)
	}
	p.tell(e)
	return nil
}

// Rollback brings back what judged the assets before. A second one brings back
// the learned model, never the model that was rolled back.
func (p *Plan) Rollback(e Entry) error {
	e.Action, e.Bundle = "rollback", ""
	if strings.TrimSpace(e.Reason) == "" {
		return fmt.Errorf("rollback: %w", ErrReason)
	}
	for _, asset := range e.Assets {
		a := p.Of(asset)
		if a.Running == a.Previous {
			return fmt.Errorf("%s has run nothing before %s: %w", asset, a.Running, ErrNothing)
		}
		a.Running, a.Previous = a.Previous, plant.LearnedModel
		if a.Shadow == a.Running {
			a.Shadow = ""
		}
		p.set(a, e.At)
		if len(e.Assets) == 1 {
			e.Bundle = a.Running
		}
	}
	p.tell(e)
	return nil
}

// Give adds an order. Its number is the plan's version.
func (p *Plan) Give(o plant.Order) error {
	o.Number = p.Version
	o.Who, o.Reason = cut(o.Who, maxName), cut(o.Reason, maxReason)
	if err := o.Check(); err != nil {
		return err
	}
	p.Orders = append(p.Orders, o)
	p.Orders = p.Orders[max(0, len(p.Orders)-maxOrders):]
	return nil
}

// tell adds a line to the history.
func (p *Plan) tell(e Entry) {
	e.Who, e.Reason = cut(e.Who, maxName), cut(e.Reason, maxReason)
	e.Bundle = cut(e.Bundle, maxName)
	p.History = append(p.History, e)
}

func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

package hmi

import (
	"context"
	"fmt"
	"net/http"

	"millwright/hmi/account"
	"millwright/plant"
)

// Models are the trained models of the plant and where they run.
type Models interface {
	Overview(ctx context.Context) (plant.Rollout, error)
	Report(ctx context.Context, id string) (markdown string, err error)
	// Shadow lets a bundle run beside what runs on the assets; the empty id: nothing.
	Shadow(ctx context.Context, id string, assets []string, who, reason string) error
	// Promote makes a bundle, or plant.LearnedModel, what runs.
	Promote(ctx context.Context, id string, assets []string, who, reason string) error
	// Rollback brings back what ran before.
	Rollback(ctx context.Context, assets []string, who, reason string) error
	// Files is the repository that the edges fetch from, read only.
	Files() http.Handler
}

func (s *Server) modelRoutes() []route {
	return part(s.Models != nil, "this works rolls no trained models out: see millwright models init",
		get("/models", s.models),
		get("/models/{id}/report", s.modelReport),
		change(http.MethodPost, "/models/shadow", account.Engineer, s.shadow),
		change(http.MethodPost, "/models/promote", account.Engineer, s.promote),
		change(http.MethodPost, "/models/rollback", account.Engineer, s.rollback),
		route{method: http.MethodGet, path: filesBase + "{path...}", handle: s.modelFiles},
	)
}

type rolloutBody struct {
	Ready   bool               `json:"ready"`
	Assets  []assetModelsBody  `json:"assets"`
	Bundles []bundleBody       `json:"bundles"`
	History []rolloutEntryBody `json:"history"`
}

type assetModelsBody struct {
	Asset    string           `json:"asset"`
	Name     *string          `json:"name"`
	Edge     string           `json:"edge"`
	Wanted   string           `json:"wanted"`
	Shadow   *string          `json:"shadow"`
	Previous *string          `json:"previous"`
	Status   *modelStatusBody `json:"status"`
	Drift    *driftBody       `json:"drift"`
	Compare  *comparisonBody  `json:"compare"`
}

type modelStatusBody struct {
	Asset    string  `json:"asset"`
	Running  string  `json:"running"`
	Shadow   *string `json:"shadow"`
	Fallback *string `json:"fallback"`
	Refused  *string `json:"refused"`
	Since    *stamp  `json:"since"`
}

func newModelStatusBody(m *plant.ModelStatus) modelStatusBody {
	return modelStatusBody{m.Asset, m.Running, optional(m.Shadow), optional(m.Fallback), optional(m.Refused), when(m.Since)}
}

type driftBody struct {
	PSI   number `json:"psi"`
	Rows  int    `json:"rows"`
	State string `json:"state"`
}

type comparisonBody struct {
	From       *stamp `json:"from"`
	To         *stamp `json:"to"`
	Both       int    `json:"both"`
	OnlyActive int    `json:"only_active"`
	OnlyShadow int    `json:"only_shadow"`
	PerWeek    number `json:"per_week"`
}

type bundleBody struct {
	ID      string            `json:"id"`
	Version int               `json:"version"`
	Kind    string            `json:"kind"`
	Asset   string            `json:"asset"`
	Class   string            `json:"class"`
	Tags    []string          `json:"tags"`
	Modes   []string          `json:"modes"`
	Window  int               `json:"window"`
	From    *stamp            `json:"from"`
	To      *stamp            `json:"to"`
	Rows    int64             `json:"rows"`
	Hash    string            `json:"hash"`
	Author  string            `json:"author"`
	Created *stamp            `json:"created"`
	Size    int64             `json:"size"`
	SHA256  string            `json:"sha256"`
	Budget  number            `json:"budget"`
	Metrics map[string]number `json:"metrics"`
}

type rolloutEntryBody struct {
	At     *stamp   `json:"at"`
	Who    string   `json:"who"`
	Action string   `json:"action"`
	Bundle *string  `json:"bundle"`
	Assets []string `json:"assets"`
	Reason *string  `json:"reason"`
}

// models tells what runs where, what there is, and what was done.
func (s *Server) models(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	return s.sendModels(w, r)
}

func (s *Server) sendModels(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Models.Overview(r.Context())
	if err != nil {
		return err
	}
	names := s.assetNames()
	body := rolloutBody{Ready: all.Ready, Assets: []assetModelsBody{}, Bundles: []bundleBody{}, History: []rolloutEntryBody{}}
	for i := range all.Assets {
		a := &all.Assets[i]
		b := assetModelsBody{Asset: a.Asset, Name: optional(names[a.Asset]), Edge: a.Edge, Wanted: a.Wanted, Shadow: optional(a.Shadow), Previous: optional(a.Previous)}
		if a.Status != nil {
			st := newModelStatusBody(a.Status)
			b.Status = &st
		}
		if d := a.Drift; d != nil {
			b.Drift = &driftBody{number(d.PSI), d.Rows, d.State}
		}
		if c := a.Compare; c != nil {
			b.Compare = &comparisonBody{when(c.From), when(c.To), c.Both, c.OnlyActive, c.OnlyShadow, number(c.PerWeek)}
		}
		body.Assets = append(body.Assets, b)
	}
	for i := range all.Bundles {
		b := &all.Bundles[i]
		metrics := make(map[string]number, len(b.Metrics))
		for k, v := range b.Metrics {
			metrics[k] = number(v)
		}
		body.Bundles = append(body.Bundles, bundleBody{b.ID, b.Version, b.Kind, b.Asset, b.Class, list(b.Tags), list(b.Modes), b.Window,
			when(b.From), when(b.To), b.Rows, b.Hash, b.Author, when(b.Created), b.Size, b.SHA256, number(b.Budget), metrics})
	}
	for _, h := range all.History {
		body.History = append(body.History, rolloutEntryBody{when(h.At), h.Who, h.Action, optional(h.Bundle), list(h.Assets), optional(h.Reason)})
	}
	return send(w, body)
}

// assetNames are the names for people, by path.
func (s *Server) assetNames() map[string]string {
	names := map[string]string{}
	for _, a := range s.directory.now().assets {
		names[a.Path] = a.Name
	}
	return names
}

// modelReport gives the report of a training.
func (s *Server) modelReport(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	id := r.PathValue("id")
	text, err := s.Models.Report(r.Context(), id)
	if err != nil {
		return err
	}
	return send(w, struct {
		ID       string `json:"id"`
		Markdown string `json:"markdown"`
	}{id, text})
}

type rolloutAsk struct {
	ID     string   `json:"id"`
	Assets []string `json:"assets"`
	Reason string   `json:"reason"`
}

const maxAssets = 1000 // in one step of a roll-out

// readRollout reads which assets, and why.
func readRollout(r *http.Request) (ask rolloutAsk, err error) {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return ask, q.err
	}
	if err := readJSON(r, &ask); err != nil {
		return ask, err
	}
	if n := len(ask.Assets); n == 0 || n > maxAssets {
		return ask, wrong("assets", fmt.Sprintf("%d of them", n), fmt.Sprintf("paths of 1 to %d assets", maxAssets))
	}
	if ask.Reason == "" {
		return ask, wrong("reason", "missing", "why, for those who look at it later")
	}
	return ask, checkNote("reason", ask.Reason)
}

func (s *Server) shadow(w http.ResponseWriter, r *http.Request) error {
	ask, err := readRollout(r)
	if err != nil {
		return err
	}
	if err := s.Models.Shadow(r.Context(), ask.ID, ask.Assets, userOf(r).Name, ask.Reason); err != nil {
		return err
	}
	return s.sendModels(w, r)
}

func (s *Server) promote(w http.ResponseWriter, r *http.Request) error {
	ask, err := readRollout(r)
	if err != nil {
		return err
	}
	if ask.ID == "" {
		return wrong("id", "missing", "a bundle's id, or "+plant.LearnedModel)
	}
	if err := s.Models.Promote(r.Context(), ask.ID, ask.Assets, userOf(r).Name, ask.Reason); err != nil {
		return err
	}
	return s.sendModels(w, r)
}

func (s *Server) rollback(w http.ResponseWriter, r *http.Request) error {
	ask, err := readRollout(r)
	if err != nil {
		return err
	}
	if ask.ID != "" {
		return wrong("id", "not of a roll-back", "leave it out: each asset goes back to what it ran before")
	}
	if err := s.Models.Rollback(r.Context(), ask.Assets, userOf(r).Name, ask.Reason); err != nil {
		return err
	}
	return s.sendModels(w, r)
}

// filesBase is where the edges fetch signed models from. Without login: what they
// fetch they verify, and it is no secret.
const filesBase = "/tuf/"

func (s *Server) modelFiles(w http.ResponseWriter, r *http.Request) error {
	http.StripPrefix(filesBase[:len(filesBase)-1], s.Models.Files()).ServeHTTP(newSteady(w), r)
	return nil
}

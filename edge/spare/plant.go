package spare

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
	"millwright/plant/checkpoint"
)

// Errors that callers tell apart. What the plant said comes with them.
var (
	// ErrUnreachable says nothing of the box: the line is down, or the plant is.
	ErrUnreachable = errors.New("the plant is out of reach")
	// ErrRetired: another box is this edge now.
	ErrRetired = errors.New("this box is retired")
	// ErrRefused is any other no of the plant.
	ErrRefused = errors.New("the plant refuses")
)

// Plant is the page of the plant, as a box speaks with it.
type Plant struct {
	URL   string           // "https://plant:8080"
	CA    string           // PEM file; empty: the system's
	Token string           // empty: none
	Box   string           // name of this box's account
	Now   func() time.Time // by which certificates are judged; nil: time.Now
}

const (
	patience  = 20 * time.Second
	mostReply = 32 << 20 // bytes of JSON: the last times of many tags
)

// Place is nil where this box may be the edge; ErrRetired, ErrRefused,
// ErrUnreachable.
func (p *Plant) Place(ctx context.Context, group, edge string) error {
	return p.ask(ctx, http.MethodGet, "place?"+url.Values{"group": {group}, "edge": {edge}}.Encode(), nil, nil)
}

// Save uploads a checkpoint. It is on the plant's disk when Save returns nil.
func (p *Plant) Save(ctx context.Context, raw []byte) error {
	return p.ask(ctx, http.MethodPost, "checkpoint", raw, nil)
}

// Load fetches the last checkpoint of an edge and its number.
func (p *Plant) Load(ctx context.Context, edge string) (*checkpoint.Checkpoint, int64, error) {
	res, done, err := p.send(ctx, http.MethodGet, "checkpoint?"+url.Values{"edge": {edge}}.Encode(), nil)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	raw, err := io.ReadAll(io.LimitReader(res.Body, checkpoint.MaxSize+1))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: the checkpoint broke off: %w", ErrUnreachable, err)
	}
	number, _ := strconv.ParseInt(res.Header.Get("Millwright-Checkpoint"), 10, 64)
	c, err := checkpoint.Decode(raw)
	return c, number, err
}

// Edge is an edge whose checkpoint the plant has.
type Edge struct {
	Group, Edge string
	Box         *string
	Number      int64
	Saved       *time.Time
}

// Edges are those that have checkpoints.
func (p *Plant) Edges(ctx context.Context) ([]Edge, error) {
	var body struct{ Edges []Edge }
	err := p.ask(ctx, http.MethodGet, "edges", nil, &body)
	return body.Edges, err
}

// Report tells the plant what this spare is ready for.
func (p *Plant) Report(ctx context.Context, s plant.SpareBox) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return p.ask(ctx, http.MethodPost, "report", raw, nil)
}

// Adopt makes this box the edge.
func (p *Plant) Adopt(ctx context.Context, edge string, alive bool) (a plant.Adoption, err error) {
	raw, err := json.Marshal(map[string]any{"edge": edge, "alive": alive})
	if err != nil {
		return a, err
	}
	return a, p.ask(ctx, http.MethodPost, "adopt", raw, &a)
}

// Release gives the edge back.
func (p *Plant) Release(ctx context.Context, edge string) error {
	raw, err := json.Marshal(map[string]any{"edge": edge})
	if err != nil {
		return err
	}
	return p.ask(ctx, http.MethodPost, "release", raw, nil)
}

// ask sends a request and reads the answer into out.
func (p *Plant) ask(ctx context.Context, method, path string, body []byte, out any) error {
	res, done, err := p.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer done()
	raw, err := io.ReadAll(io.LimitReader(res.Body, mostReply))
	if err != nil {
		return fmt.Errorf("%w: the answer broke off: %w", ErrUnreachable, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s does not answer as a plant does: %w", p.URL, err)
	}
	return nil
}

// send sends a request. An answer that is not 200 is an error that says what the
// plant said.
func (p *Plant) send(ctx context.Context, method, path string, body []byte) (*http.Response, func(), error) {
	client, err := p.client()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	done := func() { cancel(); client.CloseIdleConnections() }
	address := strings.TrimSuffix(p.URL, "/") + "/api/v1/boxes/" + url.PathEscape(p.Box) + "/" + path
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		done()
		return nil, nil, err
	}
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, func() { _ = res.Body.Close(); done() }, nil
	}
	defer done()
	defer res.Body.Close()
	var problem struct{ Detail string }
	raw, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if json.Unmarshal(raw, &problem) != nil || problem.Detail == "" {
		problem.Detail = res.Status
	}
	kind := ErrRefused
	switch {
	case res.StatusCode == http.StatusGone:
		kind = ErrRetired
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		kind = ErrUnreachable
	case res.StatusCode == http.StatusUnauthorized:
		problem.Detail = "the token of plant_token_file is not known there: millwright edge enrol " + p.Box + " on the plant makes one"
	}
	return nil, nil, fmt.Errorf("%w: %s", kind, problem.Detail)
}

func (p *Plant) client() (*http.Client, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12, Time: p.Now}
	if p.CA != "" {
		pem, err := os.ReadFile(p.CA)
		if err != nil {
			return nil, fmt.Errorf("plant_ca: %w", err)
		}
		if secure.RootCAs = x509.NewCertPool(); !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("plant_ca: %s holds no certificate", p.CA)
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig:     secure,
			TLSHandshakeTimeout: 5 * time.Second,
		},
		// A token goes to the plant that is named and to nobody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

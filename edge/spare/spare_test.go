package spare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millwright/edge/queue"
	"millwright/plant/checkpoint"
	"millwright/plant/config"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestConfigurationMoves: a configuration with files in other folders, a password
// and a key becomes, on the spare, one that names what is there.
func TestConfigurationMoves(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	write(t, a+"/lists/tags.csv", "path,asset,node\nM/T,M,ns=2;s=T\n")
	write(t, a+"/box/assets.toml", "[[asset]]\npath = \"M\"\nname = \"M\"\n")
	write(t, a+"/box/plc.password", "secret of the PLC\n")
	write(t, a+"/box/broker.password", "secret of box a\n")
	write(t, a+"/box/edge.toml", fmt.Sprintf(`
[[plc]]
name = "mill"
url = "opc.tcp://127.0.0.1:4840"
tags = '%s/lists/tags.csv'
user = "reader"
password_file = "plc.password"
trust = "/somewhere/else"
[edge]
name = "hsm"
broker = "tcp://127.0.0.1:1883"
broker_user = "box-a"
broker_password_file = "broker.password"
assets = "assets.toml"
data = "data"
plant = "http://127.0.0.1:1"
[simulator]
`, a))
	cfg, err := config.Load(a + "/box/edge.toml")
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(queue.Config{Dir: a + "/box/data/queue"})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	box := &Box{Group: cfg.Edge.Group, Edge: "hsm", Name: cfg.Edge.Box, Config: cfg.File, Files: cfg.Files, Data: cfg.Edge.Data, PLCs: []string{"mill"}, Queue: q}
	c, err := box.Take(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "secret of") {
		t.Error("a password is in the checkpoint")
	}
	if len(c.Secrets) != 2 || c.Box != "box-a" {
		t.Errorf("%+v %s", c.Secrets, c.Box)
	}

	write(t, b+"/broker.password", "secret of box b\n")
	write(t, b+"/spare.toml", "[spare]\nname = \"box-b\"\nplant = \"http://127.0.0.1:1\"\nbroker_user = \"box-b\"\nbroker_password_file = \"broker.password\"\ndata = \"data\"\n")
	sc, err := config.Load(b + "/spare.toml")
	if err != nil {
		t.Fatal(err)
	}
	s := &Spare{Config: sc.Spare, Say: t.Logf}
	if _, err := s.stage(c, b+"/staged"); err == nil || !strings.Contains(err.Error(), "plc.password") || !strings.Contains(err.Error(), sc.Spare.Secrets) {
		t.Errorf("without the PLC's password: %v", err)
	}
	write(t, b+"/secrets/plc.password", "the same\n")
	got, err := s.stage(c, b+"/staged")
	if err != nil {
		t.Fatal(err)
	}
	e, p := got.Edge, got.PLCs[0]
	if e.Name != "hsm" || e.Box != "box-b" || e.Access.User != "box-b" || e.Data != b+"/data" || p.Password != "the same" || p.Trust != "" || len(p.Tags) != 1 || len(e.Assets) != 1 || got.Simulator != nil {
		t.Errorf("%+v\n%+v", e, p)
	}
	c.Add("data/pki/own/millwright.key.pem", []byte("x"))
	if c, err = again(c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.stage(c, b+"/staged"); err == nil {
		t.Error("a checkpoint may put a key in place")
	}
}

func again(c *checkpoint.Checkpoint) (*checkpoint.Checkpoint, error) {
	raw, err := c.Encode()
	if err != nil {
		return nil, err
	}
	return checkpoint.Decode(raw)
}

// TestKeeper: what changes is sent soon, what does not is not, and a box that is
// retired ends.
func TestKeeper(t *testing.T) {
	var saved atomic.Int64
	var status atomic.Int64
	status.Store(200)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		if _, err := checkpoint.Decode(raw); err != nil || r.URL.Path != "/api/v1/boxes/a/checkpoint" || r.Header.Get("Authorization") != "Bearer t" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		if n := int(status.Load()); n != 200 {
			w.WriteHeader(n)
			_, _ = io.WriteString(w, `{"detail":"box b took the place"}`)
			return
		}
		saved.Add(1)
		_, _ = io.WriteString(w, "{}")
	}))
	defer srv.Close()
	var bundle atomic.Value
	bundle.Store("1")
	var found atomic.Uint64
	looks := make(chan struct{}, 100)
	k := &Keeper{
		Plant: &Plant{URL: srv.URL, Token: "t", Box: "a"}, Look: 5 * time.Millisecond, Found: found.Load, Log: slog.New(slog.DiscardHandler),
		Take: func() (*checkpoint.Checkpoint, error) {
			select {
			case looks <- struct{}{}:
			default:
			}
			c := &checkpoint.Checkpoint{Manifest: checkpoint.Manifest{Edge: "hsm", Box: "a", Created: time.Now().UnixNano()}}
			c.Add("data/models/applied.json", []byte(bundle.Load().(string)))
			c.Add("data/models.state", []byte(time.Now().String())) // changes all the time
			return c, nil
		},
	}
	done := make(chan error, 1)
	go func() { done <- k.Run(t.Context()) }()
	look := func(n int) {
		for range n {
			<-looks
		}
	}
	wait := func(n int64) {
		t.Helper()
		for saved.Load() < n {
			look(1)
		}
		look(3)
		if saved.Load() != n {
			t.Fatalf("%d checkpoints, want %d", saved.Load(), n)
		}
	}
	wait(1)
	bundle.Store("2")
	wait(2)
	found.Add(1)
	wait(3)
	status.Store(503)
	bundle.Store("3")
	look(5)
	status.Store(200)
	wait(4)
	if k.Kept() == 0 {
		t.Error("not noted")
	}
	status.Store(410)
	bundle.Store("4")
	go func() {
		for range looks {
		}
	}()
	if err := <-done; !errors.Is(err, ErrRetired) || !strings.Contains(err.Error(), "box b took the place") {
		t.Errorf("%v", err)
	}
}

// TestRecoverRefuses what is no queue, and its own.
func TestRecoverRefuses(t *testing.T) {
	data := t.TempDir()
	say := func(string, ...any) {}
	if err := Recover(t.Context(), t.TempDir(), data, say); err == nil || !strings.Contains(err.Error(), "holds no queue") {
		t.Errorf("%v", err)
	}
	q, err := queue.Open(queue.Config{Dir: filepath.Join(data, queueDir)})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{data, filepath.Join(data, queueDir)} {
		if err := Recover(t.Context(), dir, data, say); err == nil || !strings.Contains(err.Error(), "own queue") {
			t.Errorf("%v", err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	to := t.TempDir()
	if err := Recover(ctx, data, to, say); err == nil {
		t.Error("a copy that was stopped was handed over")
	}
	if left, err := filepath.Glob(to + "/*"); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}

// TestRetired is remembered until the plant says otherwise.
func TestRetired(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if why, err := Retired(dir); why != "" || err != nil {
		t.Error(why, err)
	}
	if err := Retire(dir, "box b took the place"); err != nil {
		t.Fatal(err)
	}
	if why, err := Retired(dir); why != "box b took the place" || err != nil {
		t.Error(why, err)
	}
	if err := errors.Join(Unretire(dir), Unretire(dir)); err != nil {
		t.Error(err)
	}
	if why, _ := Retired(dir); why != "" {
		t.Error(why)
	}
}

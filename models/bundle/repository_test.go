package bundle

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// plain writes without waiting for the disk: most tests cut no power.
func plain(name string, b []byte) error {
	if err := os.WriteFile(name+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// site is a plant's server: a repository, its offline keys, and what serves it.
type site struct {
	*Repository
	t    testing.TB
	keys string
	url  string
}

func newSite(t testing.TB) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, keys: filepath.Join(dir, "stick")}
	s.Repository = &Repository{Dir: filepath.Join(dir, "models"), write: plain}
	if _, err := s.init(s.keys, "eva"); err != nil {
		t.Fatal(err)
	}
	s.serve()
	return s
}

func (s *site) serve() {
	server := httptest.NewServer(s.Repository)
	s.t.Cleanup(server.Close)
	s.url = server.URL
}

// edge is a client that was given the site's root.
func (s *site) edge() *Client {
	root, err := s.Root()
	if err != nil {
		s.t.Fatal(err)
	}
	return &Client{URL: s.url, Root: root, Dir: s.t.TempDir()}
}

func (s *site) push(id string) []byte {
	s.t.Helper()
	b := small(s.t, id)
	if _, err := s.Push(b, id+Suffix, s.keys, "eva", "because"); err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *site) promote(id string) {
	s.t.Helper()
	err := s.Change(func(p *Plan) error {
		return p.Promote(Entry{At: 1, Who: "eva", Bundle: id, Assets: []string{"HSM/GBX"}, Reason: "r"})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// small is the bundle of testdata under another ID.
func small(t testing.TB, id string) []byte {
	t.Helper()
	file, err := os.ReadFile("testdata/gearbox.mwb")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	b.ID, b.Trained.ID = id, id
	var out strings.Builder
	if err := Write(&out, b); err != nil {
		t.Fatal(err)
	}
	return []byte(out.String())
}

func fetch(t testing.TB, c *Client) *View {
	t.Helper()
	v, err := c.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPushPromoteFetch(t *testing.T) {
	s := newSite(t)
	edge := s.edge()
	v := fetch(t, edge)
	if v.Plan.Version != 1 || v.Plan.Of("HSM/GBX").Running != plant.LearnedModel || v.Plan.History[0].Action != "init" {
		t.Errorf("%+v", v.Plan)
	}
	want := s.push("gbx-1")
	s.promote("gbx-1")
	v = fetch(t, edge)
	if v.Plan.Of("HSM/GBX").Running != "gbx-1" {
		t.Errorf("%+v", v.Plan)
	}
	got, err := v.Load(t.Context(), "gbx-1")
	if err != nil || string(got) != string(want) {
		t.Fatal(len(got), err)
	}
	plan, list, err := s.Plan()
	if err != nil || len(list) != 1 || list[0].ID != "gbx-1" || list[0].Size != int64(len(want)) || plan.Version != v.Plan.Version {
		t.Fatal(plan, list, err)
	}
	if b, err := s.File(list[0]); err != nil || string(b) != string(want) {
		t.Error(len(b), err)
	}
	for _, c := range []*Client{
		{URL: s.url + "/", Root: edge.Root, Dir: t.TempDir()},
		{URL: "file://" + s.public(), Root: edge.Root, Dir: t.TempDir()},
	} {
		v := fetch(t, c)
		if got, err := v.Load(t.Context(), "gbx-1"); err != nil || string(got) != string(want) {
			t.Error(c.URL, len(got), err)
		}
	}
	if _, err := v.Load(t.Context(), "gbx-2"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if _, err := v.Load(t.Context(), "../1.root"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

func TestPushRefuses(t *testing.T) {
	s, other := newSite(t), newSite(t)
	s.push("gbx-1")
	f := func(want string, b []byte, keys string) {
		t.Helper()
		_, err := s.Push(b, "some/gbx-x.mwb", keys, "mallory", "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		p, list, err := s.Plan()
		if err != nil {
			t.Fatal(err)
		}
		last := p.History[len(p.History)-1]
		if len(list) != 1 || last.Action != "refuse" || last.Who != "mallory" || last.Bundle != "gbx-x" || !strings.Contains(last.Reason, want) {
			t.Errorf("%q: %d bundles, %+v", want, len(list), last)
		}
	}
	good := small(t, "gbx-2")
	f("archive", good[:100], s.keys)
	f("not the keys", good, other.keys)
	f("no such file", good, t.TempDir())
	f("is there already: nothing to do", small(t, "gbx-1"), s.keys)
	b, err := Read(small(t, "gbx-1"))
	if err != nil {
		t.Fatal(err)
	}
	b.Report = "another"
	var out strings.Builder
	if err := Write(&out, b); err != nil {
		t.Fatal(err)
	}
	f("with other content", []byte(out.String()), s.keys)
	b.Golden[0].Scores[0]++
	out.Reset()
	if err := Write(&out, b); err != nil {
		t.Fatal(err)
	}
	f("golden windows", []byte(out.String()), s.keys)
	if err := os.Chmod(filepath.Join(s.keys, targetsPEM), 0o644); err != nil {
		t.Fatal(err)
	}
	f("can be read by others", good, s.keys)
}

func TestSlowBundleIsRefusedWithTheFigure(t *testing.T) {
	b, err := Read(small(t, "slow"))
	if err != nil {
		t.Fatal(err)
	}
	took, err := b.replay(-1)
	if !errors.Is(err, ErrSlow) || !strings.Contains(err.Error(), took.String()) {
		t.Error(took, err)
	}
}

func TestInit(t *testing.T) {
	s := newSite(t)
	if _, err := Init(s.Dir, s.keys, "eva"); err == nil {
		t.Error("a repository was made over another")
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoRepository) {
		t.Error(err)
	}
	var private int
	for _, root := range []string{s.keys, filepath.Join(s.Dir, keysDir)} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			private++
			st, err := d.Info()
			if err == nil && st.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", name, st.Mode())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if private != 5 {
		t.Errorf("%d keys, want root and targets outside, snapshot, timestamp and rollout inside", private)
	}
	// No private key lies where edges can read.
	err := filepath.WalkDir(s.public(), func(name string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".pem") {
			t.Error(name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOldVersionsGo(t *testing.T) {
	s := newSite(t)
	edge := s.edge()
	s.push("gbx-1")
	v := fetch(t, edge)
	for range 2 * keep {
		s.promote("gbx-1")
	}
	files, err := filepath.Glob(s.public("*.json"))
	if err != nil || len(files) > 2*keep+5 {
		t.Error(len(files), err)
	}
	plans, err := filepath.Glob(s.public(targetsDir, "*."+planTarget))
	if err != nil || len(plans) != keep {
		t.Error(len(plans), err)
	}
	if now := fetch(t, edge); now.Plan.Version != v.Plan.Version+2*keep {
		t.Errorf("%d after %d", now.Plan.Version, v.Plan.Version)
	}
}

// TestHistoryIsBounded fills the plan with long lines.
func TestHistoryIsBounded(t *testing.T) {
	p := Plan{Version: 1}
	for i := range maxAssets {
		a := fmt.Sprintf("HSM/%0180d", i)
		p.Assets = append(p.Assets, Assignment{Asset: a, Running: "x", Previous: "learned", Change: 1})
	}
	if _, err := p.encode(); err == nil {
		t.Error("a plan of more than 1 MiB was written")
	}
	p.Assets = p.Assets[:1000]
	for range 2 * maxHistory {
		p.tell(Entry{Who: "eva", Action: "promote", Reason: strings.Repeat("ü", 2000)})
	}
	b, err := p.encode()
	if err != nil || len(b) > maxPlan {
		t.Fatal(len(b), err)
	}
	got, err := DecodePlan(b)
	if err != nil || len(got.History) == 0 || len(got.History[0].Reason) != maxReason {
		t.Error(len(got.History), err)
	}
}

// TestOrdersAreBounded gives more orders than the plan holds, and wrong ones.
func TestOrdersAreBounded(t *testing.T) {
	p := Plan{Version: 1}
	good := plant.Order{At: 1, Who: "eva", Reason: strings.Repeat("ü", 2000), Edge: "edge-1", PLC: "plc1", Tag: "HSM/A", As: plant.ReleaseSame}
	for range 2 * maxOrders {
		p.Version++
		if err := p.Give(good); err != nil {
			t.Fatal(err)
		}
	}
	b, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodePlan(b)
	if err != nil || len(got.Orders) != maxOrders || got.Orders[maxOrders-1].Number != p.Version {
		t.Fatal(len(got.Orders), err)
	}
	for name, change := range map[string]func(o *plant.Order){
		"no reason":         func(o *plant.Order) { o.Reason = " " },
		"no edge":           func(o *plant.Order) { o.Edge = "" },
		"nothing to do":     func(o *plant.Order) { o.Tag, o.As = "", "" },
		"two things":        func(o *plant.Order) { o.Trust = strings.Repeat("ab", 32) },
		"another word":      func(o *plant.Order) { o.As = "write" },
		"short fingerprint": func(o *plant.Order) { o.Tag, o.As, o.Trust = "", "", "abcd" },
	} {
		o := good
		change(&o)
		if err := p.Give(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	p.Orders[3].Number = p.Orders[2].Number
	if _, err := p.encode(); err == nil {
		t.Error("two orders of one number were written")
	}
}

func TestServerSignsAnewInTime(t *testing.T) {
	s := newSite(t)
	edge := s.edge()
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	const day = 24 * time.Hour
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{100 * day, false}, {190 * day, true}, {360 * day, false}, {800 * day, true}} {
		s.Now = func() time.Time { return at(c.after) }
		did, err := s.Refresh()
		if err != nil || did != c.want {
			t.Errorf("after %v: %v, %v", c.after, did, err)
		}
	}
	// After two years and a bit the targets have expired, which only the stick
	// mends; the edge says so and goes on with what it runs.
	edge.Now = s.Now
	_, err := edge.Fetch(t.Context())
	if !errors.Is(err, ErrExpired) || !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if err := s.Renew(s.keys, "", "eva"); err != nil {
		t.Fatal(err)
	}
	fetch(t, edge)
	// An edge whose clock stands in 1970 can be given a model all the same.
	young := s.edge()
	young.Now = func() time.Time { return time.Unix(0, 0) }
	fetch(t, young)
}

func TestKeysAreReplaced(t *testing.T) {
	s := newSite(t)
	early, late := s.edge(), s.edge()
	s.push("gbx-1")
	fetch(t, early)
	for i := range 3 {
		next := filepath.Join(t.TempDir(), "stick")
		if err := s.Renew(s.keys, next, "eva"); err != nil {
			t.Fatal(err)
		}
		if err := s.Renew(s.keys, next, "eva"); !errors.Is(err, ErrKeys) {
			t.Error("the old keys still count:", err)
		}
		if _, err := s.Push(small(t, "gbx-x"), "gbx-x.mwb", s.keys, "eva", ""); !errors.Is(err, ErrKeys) {
			t.Error("the old keys still count:", err)
		}
		s.keys = next
		s.push(fmt.Sprintf("gbx-%d", i+2))
		fetch(t, early)
	}
	keys, err := filepath.Glob(filepath.Join(s.Dir, keysDir, "*.pem"))
	if err != nil || len(keys) != 3 {
		t.Error(keys, err)
	}
	// One that was away all the time follows the chain of roots.
	v := fetch(t, late)
	if _, err := v.Load(t.Context(), "gbx-4"); err != nil {
		t.Error(err)
	}
}

// TestRestoredRepository: a server whose disk was replaced has forgotten what
// edges have seen. They refuse what is older, until the keys are replaced.
func TestRestoredRepository(t *testing.T) {
	s := newSite(t)
	edge := s.edge()
	s.push("gbx-1")
	backup := t.TempDir()
	copyDir(t, backup, s.Dir)
	s.promote("gbx-1")
	s.promote("gbx-1")
	fetch(t, edge)
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	copyDir(t, s.Dir, backup)
	if _, err := edge.Fetch(t.Context()); !errors.Is(err, ErrRefused) {
		t.Fatal("an older repository counts:", err)
	}
	if err := s.Renew(s.keys, filepath.Join(t.TempDir(), "stick"), "eva"); err != nil {
		t.Fatal(err)
	}
	fetch(t, edge)
}

func TestEdgeMovesToAnotherPlant(t *testing.T) {
	s, other := newSite(t), newSite(t)
	edge := s.edge()
	s.push("gbx-1")
	s.promote("gbx-1")
	fetch(t, edge)
	edge.URL = other.url
	if _, err := edge.Fetch(t.Context()); !errors.Is(err, ErrRefused) {
		t.Error("another plant's repository counts:", err)
	}
	edge.Root = other.edge().Root
	if v := fetch(t, edge); len(v.Plan.Assets) != 0 {
		t.Errorf("%+v", v.Plan)
	}
}

func TestUnreachable(t *testing.T) {
	s := newSite(t)
	edge := s.edge()
	fetch(t, edge)
	for _, u := range []string{"http://127.0.0.1:1/", "https://127.0.0.1:1/"} {
		edge.URL = u
		if _, err := edge.Fetch(t.Context()); !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", u, err)
		}
	}
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	edge.URL = empty.URL
	if _, err := edge.Fetch(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer busy.Close()
	edge.URL = busy.URL
	if _, err := edge.Fetch(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	away := httptest.NewServer(http.RedirectHandler(s.url, http.StatusFound))
	defer away.Close()
	edge.URL = away.URL
	if _, err := edge.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "redirected to") {
		t.Error(err)
	}
	for _, u := range []string{"ftp://plant/", ":", "plant:8080"} {
		edge.URL = u
		if _, err := edge.Fetch(t.Context()); err == nil {
			t.Errorf("%s: no error", u)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	edge.URL = s.url
	if _, err := edge.Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzGolden(f *testing.F) {
	b, err := Read(small(f, "gbx-1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Golden[0].encode())
	f.Add([]byte(goldenMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A fuzzer finds no sum: it is put right.
		if len(data) >= 4 {
			data = data[:len(data)-4]
			data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
		}
		g, err := decodeGolden(data)
		if err != nil {
			return
		}
		if again := g.encode(); !bytes.Equal(again, data) {
			t.Error("written in other bytes")
		}
	})
}

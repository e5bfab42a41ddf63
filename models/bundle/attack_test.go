package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// TestAttacks gives an edge what somebody between it and the plant, or on the
// plant's server, could give it. It refuses, goes on believing what it believed,
// and takes the next honest state.
func TestAttacks(t *testing.T) {
	model := newSite(t)
	model.push("gbx-1")
	model.promote("gbx-1")
	seen := model.edge()
	fetch(t, seen)
	was := t.TempDir()
	copyDir(t, was, model.public())
	model.push("gbx-2")
	model.promote("gbx-2")

	f := func(name string, attack func(s *site, was string)) {
		t.Run(name, func(t *testing.T) {
			s := &site{t: t, Repository: &Repository{Dir: t.TempDir(), write: plain}, keys: model.keys}
			copyDir(t, s.Dir, model.Dir)
			s.serve()
			edge := s.edge()
			copyDir(t, edge.Dir, seen.Dir)

			attack(s, was)
			v, err := edge.Fetch(t.Context())
			if err == nil {
				_, err = v.Load(t.Context(), "gbx-2")
			}
			if !errors.Is(err, ErrRefused) {
				t.Fatalf("not refused: %v", err)
			}

			if err := os.RemoveAll(s.Dir); err != nil {
				t.Fatal(err)
			}
			copyDir(t, s.Dir, model.Dir)
			if strings.HasPrefix(name, "stolen") { // the thief's versions are ahead: only new keys help
				if _, err := edge.Fetch(t.Context()); !errors.Is(err, ErrRefused) {
					t.Error(err)
				}
				if err := s.Renew(s.keys, filepath.Join(t.TempDir(), "stick"), "eva"); err != nil {
					t.Fatal(err)
				}
			}
			v = fetch(t, edge)
			if b, err := v.Load(t.Context(), "gbx-2"); err != nil || len(b) == 0 {
				t.Error(err)
			}
		})
	}
	const planFile = "targets/*." + planTarget
	put := func(s *site, name string, b []byte) {
		if err := os.WriteFile(s.public(name), b, 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	get := func(s *site, pattern string) (name string, b []byte) {
		files, err := filepath.Glob(s.public(pattern))
		if err != nil || len(files) == 0 {
			s.t.Fatal(pattern, err)
		}
		newest := files[0]
		for _, n := range files {
			if len(n) > len(newest) || len(n) == len(newest) && n > newest {
				newest = n
			}
		}
		if pattern == planFile { // named by its content
			st, err := s.load()
			if err != nil {
				s.t.Fatal(err)
			}
			newest = s.public(targetsDir, st.rollout.Signed.Targets[planTarget].Hashes["sha256"].String()+"."+planTarget)
		}
		if b, err = os.ReadFile(newest); err != nil {
			s.t.Fatal(err)
		}
		name, err = filepath.Rel(s.public(), newest)
		if err != nil {
			s.t.Fatal(err)
		}
		return name, b
	}
	change := func(pattern string, by func(b []byte) []byte) func(*site, string) {
		return func(s *site, _ string) {
			name, b := get(s, pattern)
			put(s, name, by(b))
		}
	}
	replace := func(old, by string) func([]byte) []byte {
		return func(b []byte) []byte {
			out := bytes.Replace(b, []byte(old), []byte(by), 1)
			if bytes.Equal(out, b) {
				t.Fatalf("%s is not in %s", old, b)
			}
			return out
		}
	}
	unsigned := func(b []byte) []byte {
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		m["signatures"] = []any{}
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	empty := func([]byte) []byte { return nil }
	half := func(b []byte) []byte { return b[:len(b)/2] }
	huge := func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 10<<20)...) }

	f("rollback to an older timestamp", func(s *site, was string) {
		// The edge has seen the honest one.
		edge := s.edge()
		fetch(s.t, edge)
		copyDir(s.t, s.public(), was)
		if _, err := edge.Fetch(s.t.Context()); !errors.Is(err, ErrRefused) {
			s.t.Error("not refused:", err)
		}
		_, b := get(s, "timestamp.json")
		put(s, "timestamp.json", replace(`"version":`, `"version":9`)(b))
	})
	f("old snapshot under the new name", func(s *site, was string) {
		name, _ := get(s, "*.snapshot.json")
		put(s, name, read1(t, was, "3.snapshot.json"))
	})
	f("old plan metadata under the new name", func(s *site, was string) {
		name, _ := get(s, "*.rollout.json")
		put(s, name, read1(t, was, "3.rollout.json"))
	})
	f("old targets under the new name", func(s *site, was string) {
		name, _ := get(s, "*.targets.json")
		put(s, name, read1(t, was, "2.targets.json"))
	})
	for _, role := range []string{"timestamp.json", "*.snapshot.json", "*.targets.json", "*.rollout.json", planFile, "targets/*gbx-2.mwb"} {
		f(role+" empty", change(role, empty))
		f(role+" cut", change(role, half))
		f(role+" huge", change(role, huge))
		f(role+" noise", change(role, func(b []byte) []byte { return bytes.Repeat([]byte{0xA5}, len(b)) }))
		if !strings.HasPrefix(role, "targets/") {
			f(role+" unsigned", change(role, unsigned))
			f(role+" version", change(role, replace(`"version":`, `"version":1`)))
			f(role+" expiry", change(role, replace(`"expires":"2`, `"expires":"3`)))
		}
		if role != "timestamp.json" {
			f(role+" missing", func(s *site, _ string) {
				name, _ := get(s, role)
				if err := os.Remove(s.public(name)); err != nil {
					s.t.Fatal(err)
				}
			})
		}
	}
	f("a root of another plant", func(s *site, _ string) {
		put(s, "2.root.json", read1(t, newSite(t).public(), "1.root.json"))
	})
	f("a root signed by the online keys", func(s *site, _ string) {
		st, err := s.load()
		if err != nil {
			s.t.Fatal(err)
		}
		sign, err := s.online(st)
		if err != nil {
			s.t.Fatal(err)
		}
		k := sign[metadata.TIMESTAMP][0]
		st.root.Signed.Keys[k.id] = k.public
		st.root.Signed.Roles[metadata.TARGETS].KeyIDs = []string{k.id}
		if err := s.publishRoot(st, k); err != nil {
			s.t.Fatal(err)
		}
	})
	f("another plant's repository", func(s *site, _ string) {
		other := newSite(t)
		other.push("gbx-2")
		for range 9 { // with a timestamp that is newer
			other.promote("gbx-2")
		}
		if err := os.RemoveAll(s.public()); err != nil {
			s.t.Fatal(err)
		}
		copyDir(s.t, s.public(), other.public())
	})
	// Who has taken over the server has its keys. He may choose a plan, and can
	// make no bundle.
	stolen := func(steal func(s *site, st *state, sign signers) error) func(*site, string) {
		return func(s *site, _ string) {
			st, err := s.load()
			if err != nil {
				s.t.Fatal(err)
			}
			sign, err := s.online(st)
			if err != nil {
				s.t.Fatal(err)
			}
			if err := steal(s, st, sign); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	evil := []byte("not what was pushed")
	f("stolen: a bundle signed as targets by the rollout key", stolen(func(s *site, st *state, sign signers) error {
		file, err := metadata.TargetFile().FromBytes("gbx-2.mwb", evil, "sha256")
		if err != nil {
			return err
		}
		put(s, "targets/"+file.Hashes["sha256"].String()+".gbx-2.mwb", evil)
		st.targets.Signed.Targets["gbx-2.mwb"] = file
		sign[metadata.TARGETS] = sign[planRole]
		return s.commit(st, sign, true)
	}))
	f("a bundle among the targets of the role rollout", stolen(func(s *site, st *state, sign signers) error {
		file, err := metadata.TargetFile().FromBytes("gbx-3.mwb", evil, "sha256")
		if err != nil {
			return err
		}
		put(s, "targets/"+file.Hashes["sha256"].String()+".gbx-3.mwb", evil)
		st.rollout.Signed.Targets["gbx-3.mwb"] = file
		st.rollout.Signed.Version++
		st.snapshot.Signed.Meta["rollout.json"], err = put2(s, st, sign)
		if err != nil {
			return err
		}
		edge := s.edge()
		v, err := edge.Fetch(t.Context())
		if err != nil {
			return err
		}
		if _, err := v.Load(t.Context(), "gbx-3"); !errors.Is(err, ErrRefused) {
			t.Errorf("the server's key has made a bundle: %v", err)
		}
		st.timestamp.Signed.Meta["snapshot.json"].Version = 1 // and something that f sees
		st.timestamp.Signed.Version += 9
		b, err := sealed(st.timestamp, sign[metadata.TIMESTAMP])
		put(s, "timestamp.json", b)
		return err
	}))
	f("stolen: a plan that is none", stolen(func(s *site, st *state, sign signers) error {
		st.plan.Assets[0].Running = "../../etc/passwd"
		if err := s.commit(st, sign, false); err == nil {
			t.Error("it was written")
		}
		// What the server's own code refuses to write, another writes.
		bad := []byte(`{"version":99,"assets":[{"asset":"HSM/GBX","running":"../../etc/passwd","previous":"learned","change":1,"at":1}],"history":[]}`)
		file, err := metadata.TargetFile().FromBytes(planTarget, bad, "sha256")
		if err != nil {
			return err
		}
		put(s, "targets/"+file.Hashes["sha256"].String()+"."+planTarget, bad)
		st.rollout.Signed.Targets = map[string]*metadata.TargetFiles{planTarget: file}
		st.rollout.Signed.Version++
		st.snapshot.Signed.Meta["rollout.json"], err = put2(s, st, sign)
		return err
	}))
}

// put2 publishes the plan's role as it is, with the online keys.
func put2(s *site, st *state, sign signers) (*metadata.MetaFiles, error) {
	meta, err := put(s.Repository, planRole, st.rollout.Signed.Version, st.rollout, sign[planRole])
	if err != nil {
		return nil, err
	}
	st.snapshot.Signed.Meta["rollout.json"] = meta
	st.snapshot.Signed.Version++
	if st.timestamp.Signed.Meta["snapshot.json"], err = put(s.Repository, metadata.SNAPSHOT, st.snapshot.Signed.Version, st.snapshot, sign[metadata.SNAPSHOT]); err != nil {
		return nil, err
	}
	st.timestamp.Signed.Version++
	b, err := sealed(st.timestamp, sign[metadata.TIMESTAMP])
	if err != nil {
		return nil, err
	}
	return meta, s.put(s.public("timestamp.json"), b)
}

// TestFreeze: who keeps an edge from seeing anything new can do so until the
// signatures expire; then the edge says so.
func TestFreeze(t *testing.T) {
	s := newSite(t)
	edge := s.edge()
	fetch(t, edge)
	edge.Now = func() time.Time { return time.Now().Add(onlineLife + time.Hour) }
	for range 2 {
		if _, err := edge.Fetch(t.Context()); !errors.Is(err, ErrExpired) {
			t.Error(err)
		}
	}
	s.Now = edge.Now
	if did, err := s.Refresh(); !did || err != nil {
		t.Error(did, err)
	}
	fetch(t, edge)
}

// TestDamagedMemory: what a dying disk made of the edge's memory costs a
// download.
func TestDamagedMemory(t *testing.T) {
	s := newSite(t)
	edge := s.edge()
	s.push("gbx-1")
	fetch(t, edge)
	files, err := filepath.Glob(filepath.Join(edge.Dir, "*"))
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		for _, bad := range []string{"", "{", `{"signed":{}}`, "\x00\x00"} {
			if err := os.WriteFile(f, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			v := fetch(t, edge)
			if _, err := v.Load(t.Context(), "gbx-1"); err != nil {
				t.Errorf("%s is %q: %v", filepath.Base(f), bad, err)
			}
		}
	}
}

func copyDir(t testing.TB, to, from string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, st.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read1(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

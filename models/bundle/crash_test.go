package bundle

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var errCrash = errors.New("power cut")

// TestCutAtEachWrite lets every change of a repository fail at its first write,
// its second, …. An edge sees the state before or the state after, and the change
// goes through when it is made again.
func TestCutAtEachWrite(t *testing.T) {
	changes := map[string]func(s *site, try int) error{
		"push": func(s *site, try int) error {
			id := fmt.Sprintf("gbx-%d", try)
			_, err := s.push1(id)
			return err
		},
		"promote": func(s *site, try int) error {
			return s.Change(func(p *Plan) error {
				return p.Promote(Entry{At: 1, Who: "eva", Bundle: "gbx-0", Assets: []string{"HSM/GBX"}, Reason: "r"})
			})
		},
		"renew": func(s *site, try int) error { return s.Renew(s.keys, "", "eva") },
		"new keys": func(s *site, try int) error {
			next := s.keys + "+"
			if err := s.Renew(s.keys, next, "eva"); err != nil {
				return err
			}
			s.keys = next
			return nil
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.push("gbx-0")
			edge := s.edge()
			for cut := 1; ; cut++ {
				before := fetch(t, edge).Plan.Version
				writes := 0
				s.write = func(file string, b []byte) error {
					if writes++; writes == cut {
						// What a kill leaves of disk.Replace.
						return errors.Join(os.WriteFile(file+".new", b[:len(b)/2], 0o644), errCrash)
					}
					return plain(file, b)
				}
				err := change(s, cut)
				s.write = plain
				if err == nil && writes < cut {
					break // no write is left to be cut
				}
				if !errors.Is(err, errCrash) {
					t.Fatalf("write %d: %v", cut, err)
				}
				for _, c := range []*Client{edge, s.edge()} {
					if now := fetch(t, c).Plan.Version; now != before && now != before+1 {
						t.Fatalf("write %d: version %d after %d", cut, now, before)
					}
				}
				if _, err := Open(s.Dir); err != nil {
					t.Fatal(err)
				}
				if err := change(s, cut); err != nil && !errors.Is(err, ErrNothing) {
					t.Fatalf("after a cut at write %d: %v", cut, err)
				}
				v := fetch(t, edge)
				if _, err := v.Load(t.Context(), "gbx-0"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func (s *site) push1(id string) (*Bundle, error) {
	return s.Repository.push(small(s.t, id), s.keys, "eva", "")
}

func TestCutInit(t *testing.T) {
	for cut := 1; ; cut++ {
		dir := t.TempDir()
		r := &Repository{Dir: filepath.Join(dir, "models")}
		writes := 0
		r.write = func(file string, b []byte) error {
			if writes++; writes == cut {
				return errCrash
			}
			return plain(file, b)
		}
		_, err := r.init(filepath.Join(dir, "stick"), "eva")
		if err == nil {
			return
		}
		if _, err := Open(r.Dir); !errors.Is(err, ErrNoRepository) {
			t.Fatalf("write %d: %v", cut, err)
		}
		if _, err := Init(r.Dir, filepath.Join(dir, "stick"), "eva"); err != nil {
			t.Fatalf("after a cut at write %d: %v", cut, err)
		}
	}
}

// TestKill kills a process that changes the plan again and again, and looks at
// what it leaves.
func TestKill(t *testing.T) {
	if dir := os.Getenv("MILLWRIGHT_TEST_REPOSITORY"); dir != "" {
		for r := (&Repository{Dir: dir}); ; {
			if err := r.Change(func(p *Plan) error {
				return p.Promote(Entry{At: 1, Who: "eva", Bundle: "gbx-0", Assets: []string{"HSM/GBX"}, Reason: "r"})
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := newSite(t)
	s.push("gbx-0")
	edge := s.edge()
	last, grown := int64(0), 0
	for i := range 12 {
		child := exec.Command(os.Args[0], "-test.run=^TestKill$")
		child.Env = append(os.Environ(), "MILLWRIGHT_TEST_REPOSITORY="+s.Dir)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+13*i) * time.Millisecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		v := fetch(t, edge)
		if v.Plan.Version < last {
			t.Fatalf("version %d after %d", v.Plan.Version, last)
		}
		if v.Plan.Version > last {
			grown++
		}
		last = v.Plan.Version
		s.promote("gbx-0")
	}
	if grown < 6 {
		t.Errorf("the child made a change in %d of 12 rounds", grown)
	}
}

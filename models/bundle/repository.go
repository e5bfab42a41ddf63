package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"millwright/plant/disk"
)

// Errors of a repository.
var (
	ErrNoRepository = errors.New("no repository of models: make one with millwright models init")
	ErrNotFound     = errors.New("no such bundle")
	ErrKeys         = errors.New("not the keys of this repository")
)

// Lives of signatures. The plant has no internet and an edge may have no clock:
// what lies in the safe is renewed by people, what the server signs by itself.
const (
	rootLife    = 10 * 365 * 24 * time.Hour
	targetsLife = 2 * 365 * 24 * time.Hour
	onlineLife  = 365 * 24 * time.Hour
)

// RootFile, in a repository's folder, is what an edge is given by hand.
const RootFile = "root.json"

// Folders of a repository, and the files of the offline keys.
const (
	publicDir  = "repository" // served to the edges
	targetsDir = "targets"    // in it: bundles and plans
	keysDir    = "keys"       // online keys
	rootPEM    = "root.pem"
	targetsPEM = "targets.pem"
	planRole   = "rollout"
)

// Repository is the folder from which edges fetch their models. Its methods may
// be called from any goroutine and several processes: each takes the folder's
// lock. A process that dies leaves what was there before, or what it was about
// to make: the timestamp, which makes a change visible, is written last.
type Repository struct {
	Dir string
	Now func() time.Time // nil: time.Now

	write func(name string, b []byte) error // nil: disk.Replace; tests let it fail
}

// Stored is a bundle in a repository.
type Stored struct {
	ID     string
	Size   int64
	SHA256 string
}

// Open opens a repository; ErrNoRepository.
func Open(dir string) (*Repository, error) {
	r := &Repository{Dir: dir}
	if _, err := os.Stat(r.public("timestamp.json")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoRepository)
	} else if err != nil {
		return nil, err
	}
	return r, nil
}

// Init makes a repository. The offline keys, root.pem and targets.pem, go to the
// folder keys (those that lie there are taken), the online ones stay in dir.
func Init(dir, keys, who string) (*Repository, error) {
	return (&Repository{Dir: dir}).init(keys, who)
}

func (r *Repository) init(keys, who string) (*Repository, error) {
	for _, d := range []string{r.Dir, filepath.Join(r.Dir, keysDir), keys} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(r.public(targetsDir), 0o755); err != nil {
		return nil, err
	}
	err := r.locked(func() error {
		if _, err := os.Stat(r.public("timestamp.json")); err == nil {
			return fmt.Errorf("%s holds a repository of models already", r.Dir)
		}
		root, err := offlineKey(keys, rootPEM)
		if err != nil {
			return err
		}
		targets, err := offlineKey(keys, targetsPEM)
		if err != nil {
			return err
		}
		s := &state{
			root: metadata.Root(), timestamp: metadata.Timestamp(), snapshot: metadata.Snapshot(),
			targets: metadata.Targets(), rollout: metadata.Targets(),
		}
		s.root.Signed.Version = 0 // commit and publish count on
		s.timestamp.Signed.Version, s.snapshot.Signed.Version = 0, 0
		s.targets.Signed.Version, s.rollout.Signed.Version = 0, 0
		sign, err := r.newKeys(s, root, targets)
		if err != nil {
			return err
		}
		s.plan.tell(Entry{At: r.now().UnixNano(), Who: who, Action: "init"})
		// The root first: without it a timestamp is worth nothing.
		if err := r.publishRoot(s, root); err != nil {
			return err
		}
		b, err := r.Root()
		if err != nil {
			return err
		}
		if err := r.put(filepath.Join(r.Dir, RootFile), b); err != nil {
			return err
		}
		return r.commit(s, sign, true)
	})
	return r, err
}

// offlineKey reads the key of a file, or makes it.
func offlineKey(dir, name string) (*key, error) {
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return newKey(dir, func(*key) string { return name })
	}
	return readKey(file)
}

// Root is the first root: what an edge is given by hand, and all that it has to
// trust.
func (r *Repository) Root() ([]byte, error) { return os.ReadFile(r.public("1.root.json")) }

// Plan returns the plan as it stands, and the bundles that it may name, by ID.
func (r *Repository) Plan() (Plan, []Stored, error) {
	var p Plan
	var list []Stored
	err := r.locked(func() error {
		s, err := r.load()
		if err != nil {
			return err
		}
		p = s.plan
		for name, t := range s.targets.Signed.Targets {
			if id, ok := strings.CutSuffix(name, Suffix); ok {
				list = append(list, Stored{ID: id, Size: t.Length, SHA256: t.Hashes["sha256"].String()})
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Stored) int { return strings.Compare(a.ID, b.ID) })
	return p, list, err
}

// File returns a bundle's file, verified; ErrNotFound.
func (r *Repository) File(s Stored) ([]byte, error) {
	if err := CheckID(s.ID); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(r.public(targetsDir, s.SHA256+"."+s.ID+Suffix))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != s.SHA256 {
		return nil, fmt.Errorf("bundle %s: the file in the repository is damaged", s.ID)
	}
	return b, nil
}

// Change changes the plan, signed with the online keys.
func (r *Repository) Change(change func(*Plan) error) error {
	return r.locked(func() error {
		s, err := r.load()
		if err != nil {
			return err
		}
		s.plan.Version++
		if err := change(&s.plan); err != nil {
			return err
		}
		sign, err := r.online(s)
		if err != nil {
			return err
		}
		return r.commit(s, sign, false)
	})
}

// Refresh signs anew what the plant's server signs when less than half of its
// life is left. It reports whether it did.
func (r *Repository) Refresh() (bool, error) {
	done := false
	err := r.locked(func() error {
		s, err := r.load()
		if err != nil {
			return err
		}
		left := min(s.timestamp.Signed.Expires.Sub(r.now()), s.snapshot.Signed.Expires.Sub(r.now()), s.rollout.Signed.Expires.Sub(r.now()))
		if left > onlineLife/2 {
			return nil
		}
		sign, err := r.online(s)
		if err != nil {
			return err
		}
		done = true
		return r.commit(s, sign, false)
	})
	return done, err
}

// Push checks and replays a bundle's file and adds it, signed with the offline
// targets key. The history tells it, and a refusal too. name is the file's, for
// the history.
func (r *Repository) Push(b []byte, name, keys, who, reason string) (*Bundle, error) {
	out, err := r.push(b, keys, who, reason)
	if err != nil && !errors.Is(err, ErrNoRepository) {
		e := Entry{At: r.now().UnixNano(), Who: who, Action: "refuse", Bundle: strings.TrimSuffix(filepath.Base(name), Suffix), Reason: err.Error()}
		err = errors.Join(err, r.Change(func(p *Plan) error { p.tell(e); return nil }))
	}
	return out, err
}

func (r *Repository) push(b []byte, keys, who, reason string) (*Bundle, error) {
	out, err := Read(b)
	if err != nil {
		return nil, err
	}
	if _, err := out.Replay(); err != nil {
		return nil, err
	}
	return out, r.locked(func() error {
		s, err := r.load()
		if err != nil {
			return err
		}
		targets, err := readKey(filepath.Join(keys, targetsPEM))
		if err != nil {
			return err
		}
		if !slices.Contains(s.root.Signed.Roles[metadata.TARGETS].KeyIDs, targets.id) {
			return fmt.Errorf("%s: %w", keys, ErrKeys)
		}
		file, err := metadata.TargetFile().FromBytes(out.ID+Suffix, b, "sha256")
		if err != nil {
			return err
		}
		if have, ok := s.targets.Signed.Targets[out.ID+Suffix]; ok {
			if have.Equal(*file) {
				return fmt.Errorf("bundle %s is there already: %w", out.ID, ErrNothing)
			}
			return fmt.Errorf("bundle %s is there already with other content: give the new one another ID", out.ID)
		}
		sign, err := r.online(s)
		if err != nil {
			return err
		}
		sign[metadata.TARGETS] = []*key{targets}
		if err := r.put(r.public(targetsDir, file.Hashes["sha256"].String()+"."+out.ID+Suffix), b); err != nil {
			return err
		}
		s.targets.Signed.Targets[out.ID+Suffix] = file
		s.plan.Version++
		s.plan.tell(Entry{At: r.now().UnixNano(), Who: who, Action: "push", Bundle: out.ID, Reason: reason})
		return r.commit(s, sign, true)
	})
}

// Renew signs root and targets anew. With a folder for new keys, all keys are
// replaced, the online ones too: after a theft, or after the repository was
// brought back from a copy that is older than what edges have seen.
func (r *Repository) Renew(keys, newKeys, who string) error {
	return r.locked(func() error {
		s, err := r.load()
		if err != nil {
			return err
		}
		root, err := readKey(filepath.Join(keys, rootPEM))
		if err != nil {
			return err
		}
		targets, err := readKey(filepath.Join(keys, targetsPEM))
		if err != nil {
			return err
		}
		roles := s.root.Signed.Roles
		if !slices.Contains(roles[metadata.ROOT].KeyIDs, root.id) || !slices.Contains(roles[metadata.TARGETS].KeyIDs, targets.id) {
			return fmt.Errorf("%s: %w", keys, ErrKeys)
		}
		sign, err := r.online(s)
		if err != nil {
			return err
		}
		sign[metadata.TARGETS] = []*key{targets}
		e := Entry{At: r.now().UnixNano(), Who: who, Action: "renew", Reason: "signatures"}
		rootSigners := []*key{root}
		if newKeys != "" {
			e.Reason = "keys"
			if err := os.MkdirAll(newKeys, 0o700); err != nil {
				return err
			}
			newRoot, err := offlineKey(newKeys, rootPEM)
			if err != nil {
				return err
			}
			newTargets, err := offlineKey(newKeys, targetsPEM)
			if err != nil {
				return err
			}
			if newRoot.id == root.id || newTargets.id == targets.id {
				return fmt.Errorf("%s holds the old keys: name an empty folder", newKeys)
			}
			next, err := r.newKeys(s, newRoot, newTargets)
			if err != nil {
				return err
			}
			// Signed with the old keys and the new ones, the files are good under
			// the root that is, and under the one that follows them.
			for _, role := range []string{metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
				next[role] = append(next[role], sign[role]...)
			}
			sign = next
			rootSigners = append(rootSigners, newRoot)
		}
		s.plan.Version++
		s.plan.tell(e)
		if err := r.commit(s, sign, true); err != nil {
			return err
		}
		if err := r.publishRoot(s, rootSigners...); err != nil {
			return err
		}
		return r.forget(s)
	})
}

func (r *Repository) now() time.Time {
	if r.Now != nil {
		return r.Now().UTC()
	}
	return time.Now().UTC()
}

func (r *Repository) public(name ...string) string {
	return filepath.Join(append([]string{r.Dir, publicDir}, name...)...)
}

func (r *Repository) put(name string, b []byte) error {
	if r.write != nil {
		return r.write(name, b)
	}
	return disk.Replace(name, b, 0o644)
}

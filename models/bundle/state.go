package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// state is a repository as its timestamp says.
type state struct {
	root      *metadata.Metadata[metadata.RootType]
	timestamp *metadata.Metadata[metadata.TimestampType]
	snapshot  *metadata.Metadata[metadata.SnapshotType]
	targets   *metadata.Metadata[metadata.TargetsType]
	rollout   *metadata.Metadata[metadata.TargetsType]
	plan      Plan
}

// signers are the keys that sign for each role.
type signers map[string][]*key

// keep is how many versions of a role stay for clients that are just reading.
const keep = 20

// locked runs f while no other process changes the repository.
func (r *Repository) locked(f func() error) error {
	lock, err := os.OpenFile(filepath.Join(r.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	defer lock.Close() // which gives the lock back
	for {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("models: lock %s: %w", lock.Name(), err)
	}
	return f()
}

// load reads the state and verifies it, expiry aside: an expired repository must
// be there to be signed anew.
func (r *Repository) load() (*state, error) {
	s, err := r.loadState()
	if err != nil {
		return nil, fmt.Errorf("models: repository in %s: %w", r.Dir, err)
	}
	return s, nil
}

func (r *Repository) loadState() (*state, error) {
	version, err := r.newestRoot()
	if err != nil {
		return nil, err
	}
	s := &state{}
	if s.root, err = metadata.Root().FromFile(r.public(version + ".root.json")); err != nil {
		return nil, err
	}
	if err := s.root.VerifyDelegate(metadata.ROOT, s.root); err != nil {
		return nil, err
	}
	if s.timestamp, err = metadata.Timestamp().FromFile(r.public("timestamp.json")); err != nil {
		return nil, err
	}
	if err := s.root.VerifyDelegate(metadata.TIMESTAMP, s.timestamp); err != nil {
		return nil, err
	}
	b, err := r.versioned(metadata.SNAPSHOT, s.timestamp.Signed.Meta["snapshot.json"])
	if err != nil {
		return nil, err
	}
	if s.snapshot, err = metadata.Snapshot().FromBytes(b); err != nil {
		return nil, err
	}
	if err := s.root.VerifyDelegate(metadata.SNAPSHOT, s.snapshot); err != nil {
		return nil, err
	}
	if b, err = r.versioned(metadata.TARGETS, s.snapshot.Signed.Meta["targets.json"]); err != nil {
		return nil, err
	}
	if s.targets, err = metadata.Targets().FromBytes(b); err != nil {
		return nil, err
	}
	if err := s.root.VerifyDelegate(metadata.TARGETS, s.targets); err != nil {
		return nil, err
	}
	if b, err = r.versioned(planRole, s.snapshot.Signed.Meta[planRole+".json"]); err != nil {
		return nil, err
	}
	if s.rollout, err = metadata.Targets().FromBytes(b); err != nil {
		return nil, err
	}
	if err := s.targets.VerifyDelegate(planRole, s.rollout); err != nil {
		return nil, err
	}
	file, ok := s.rollout.Signed.Targets[planTarget]
	if !ok {
		return nil, errors.New("no plan")
	}
	if b, err = os.ReadFile(r.public(targetsDir, file.Hashes["sha256"].String()+"."+planTarget)); err != nil {
		return nil, err
	}
	if err := file.VerifyLengthHashes(b); err != nil {
		return nil, err
	}
	s.plan, err = DecodePlan(b)
	return s, err
}

func (r *Repository) versioned(role string, m *metadata.MetaFiles) ([]byte, error) {
	if m == nil {
		return nil, fmt.Errorf("nothing says which version of %s counts", role)
	}
	b, err := os.ReadFile(r.public(fmt.Sprintf("%d.%s.json", m.Version, role)))
	if err != nil {
		return nil, err
	}
	return b, m.VerifyLengthHashes(b)
}

func (r *Repository) newestRoot() (string, error) {
	files, err := filepath.Glob(r.public("*.root.json"))
	if err != nil {
		return "", err
	}
	newest := 0
	for _, f := range files {
		n, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(f), ".root.json"))
		newest = max(newest, n)
	}
	return strconv.Itoa(newest), nil
}

// online reads the keys that the plant's server signs with.
func (r *Repository) online(s *state) (signers, error) {
	out := signers{}
	roles := map[string][]string{
		metadata.SNAPSHOT:  s.root.Signed.Roles[metadata.SNAPSHOT].KeyIDs,
		metadata.TIMESTAMP: s.root.Signed.Roles[metadata.TIMESTAMP].KeyIDs,
		planRole:           s.planKeys(),
	}
	for role, ids := range roles {
		for _, id := range ids {
			k, err := readKey(filepath.Join(r.Dir, keysDir, id+".pem"))
			if err != nil {
				return nil, fmt.Errorf("models: %s: %w", role, err)
			}
			out[role] = append(out[role], k)
		}
	}
	return out, nil
}

func (s *state) planKeys() []string {
	if s.targets.Signed.Delegations == nil || len(s.targets.Signed.Delegations.Roles) != 1 {
		return nil
	}
	return s.targets.Signed.Delegations.Roles[0].KeyIDs
}

// newKeys makes online keys and puts them and the given offline ones into root
// and targets, in the place of those that were there.
func (r *Repository) newKeys(s *state, root, targets *key) (signers, error) {
	out := signers{metadata.TARGETS: {targets}}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP, planRole} {
		k, err := newKey(filepath.Join(r.Dir, keysDir), func(k *key) string { return k.id + ".pem" })
		if err != nil {
			return nil, err
		}
		out[role] = []*key{k}
	}
	s.root.Signed.Keys = map[string]*metadata.Key{}
	for role, k := range map[string]*key{
		metadata.ROOT: root, metadata.TARGETS: targets,
		metadata.SNAPSHOT: out[metadata.SNAPSHOT][0], metadata.TIMESTAMP: out[metadata.TIMESTAMP][0],
	} {
		s.root.Signed.Keys[k.id] = k.public
		s.root.Signed.Roles[role] = &metadata.Role{KeyIDs: []string{k.id}, Threshold: 1}
	}
	plan := out[planRole][0]
	s.targets.Signed.Delegations = &metadata.Delegations{
		Keys: map[string]*metadata.Key{plan.id: plan.public},
		Roles: []metadata.DelegatedRole{{
			Name: planRole, KeyIDs: []string{plan.id}, Threshold: 1, Terminating: true, Paths: []string{planTarget},
		}},
	}
	return out, nil
}

// publishRoot writes the next root.
func (r *Repository) publishRoot(s *state, with ...*key) error {
	s.root.Signed.Version++
	s.root.Signed.Expires = r.until(rootLife)
	b, err := sealed(s.root, with)
	if err != nil {
		return err
	}
	return r.put(r.public(fmt.Sprintf("%d.root.json", s.root.Signed.Version)), b)
}

// commit writes the state as the next version of everything, targets only where
// it has changed. What names a file is written after the file.
func (r *Repository) commit(s *state, sign signers, targets bool) error {
	if s.plan.Version == 0 {
		s.plan.Version = 1
	}
	plan, err := s.plan.encode()
	if err != nil {
		return err
	}
	file, err := metadata.TargetFile().FromBytes(planTarget, plan, "sha256")
	if err != nil {
		return err
	}
	if err := r.put(r.public(targetsDir, file.Hashes["sha256"].String()+"."+planTarget), plan); err != nil {
		return err
	}
	s.rollout.Signed.Targets = map[string]*metadata.TargetFiles{planTarget: file}
	s.rollout.Signed.Version++
	s.rollout.Signed.Expires = r.until(onlineLife)
	if s.snapshot.Signed.Meta[planRole+".json"], err = put(r, planRole, s.rollout.Signed.Version, s.rollout, sign[planRole]); err != nil {
		return err
	}
	if targets {
		s.targets.Signed.Version++
		s.targets.Signed.Expires = r.until(targetsLife)
		if s.snapshot.Signed.Meta["targets.json"], err = put(r, metadata.TARGETS, s.targets.Signed.Version, s.targets, sign[metadata.TARGETS]); err != nil {
			return err
		}
	}
	s.snapshot.Signed.Version++
	s.snapshot.Signed.Expires = r.until(onlineLife)
	if s.timestamp.Signed.Meta["snapshot.json"], err = put(r, metadata.SNAPSHOT, s.snapshot.Signed.Version, s.snapshot, sign[metadata.SNAPSHOT]); err != nil {
		return err
	}
	s.timestamp.Signed.Version++
	s.timestamp.Signed.Expires = r.until(onlineLife)
	b, err := sealed(s.timestamp, sign[metadata.TIMESTAMP])
	if err != nil {
		return err
	}
	if err := r.put(r.public("timestamp.json"), b); err != nil {
		return err
	}
	return r.prune(s)
}

func (r *Repository) until(life time.Duration) time.Time {
	return r.now().Add(life).Truncate(time.Second)
}

// put writes a version of a role and returns what the next role says of it.
func put[T metadata.Roles](r *Repository, role string, version int64, m *metadata.Metadata[T], with []*key) (*metadata.MetaFiles, error) {
	b, err := sealed(m, with)
	if err != nil {
		return nil, err
	}
	f, err := metadata.TargetFile().FromBytes(role, b, "sha256")
	if err != nil {
		return nil, err
	}
	meta := &metadata.MetaFiles{Version: version, Length: f.Length, Hashes: f.Hashes}
	return meta, r.put(r.public(fmt.Sprintf("%d.%s.json", version, role)), b)
}

// sealed is the role's file, signed with these keys alone.
func sealed[T metadata.Roles](m *metadata.Metadata[T], with []*key) ([]byte, error) {
	if len(with) == 0 {
		return nil, errors.New("models: no key to sign with")
	}
	m.ClearSignatures()
	for _, k := range with {
		if _, err := m.Sign(k.signer); err != nil {
			return nil, err
		}
	}
	return m.ToBytes(false)
}

var versionedName = regexp.MustCompile(`^([0-9]+)\.(snapshot|targets|rollout)\.json$`)

// prune removes old versions, and plans that none of the kept ones names. Roots
// stay: an edge that was away for years follows them one by one.
func (r *Repository) prune(s *state) error {
	now := map[string]int64{
		metadata.SNAPSHOT: s.snapshot.Signed.Version, metadata.TARGETS: s.targets.Signed.Version, planRole: s.rollout.Signed.Version,
	}
	files, err := os.ReadDir(r.public())
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, f := range files {
		part := versionedName.FindStringSubmatch(f.Name())
		if part == nil {
			continue
		}
		if n, _ := strconv.ParseInt(part[1], 10, 64); n <= now[part[2]]-keep {
			if err := os.Remove(r.public(f.Name())); err != nil {
				return err
			}
			continue
		}
		if part[2] != planRole {
			continue
		}
		if m, err := metadata.Targets().FromFile(r.public(f.Name())); err == nil && m.Signed.Targets[planTarget] != nil {
			named[m.Signed.Targets[planTarget].Hashes["sha256"].String()] = true
		}
	}
	plans, err := filepath.Glob(r.public(targetsDir, "*."+planTarget))
	if err != nil {
		return err
	}
	for _, f := range plans {
		if hash, _, _ := strings.Cut(filepath.Base(f), "."); !named[hash] {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget removes online keys that no role names any more.
func (r *Repository) forget(s *state) error {
	ids := slices.Concat(s.root.Signed.Roles[metadata.SNAPSHOT].KeyIDs, s.root.Signed.Roles[metadata.TIMESTAMP].KeyIDs, s.planKeys())
	files, err := filepath.Glob(filepath.Join(r.Dir, keysDir, "*.pem"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if !slices.Contains(ids, strings.TrimSuffix(filepath.Base(f), ".pem")) {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

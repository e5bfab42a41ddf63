package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"millwright/models/bundle"
	"millwright/plant/disk"
)

// Files of an agent.
const (
	recordFile = "applied.json"
	bundlesDir = "bundles" // SHA256.mwb
)

// record is what each asset runs, by path.
type record map[string]applied

// applied is what one asset runs. Since is ns UTC.
type applied struct {
	Running  file     `json:"running"` // empty: the learned model
	Shadow   file     `json:"shadow"`
	Change   int64    `json:"change"`             // version of the plan that was followed
	Dropped  []string `json:"dropped,omitempty"`  // bundles that failed here since that version
	Fallback string   `json:"fallback,omitempty"` // which failed last, and why
	Refused  string   `json:"refused,omitempty"`  // which was refused last, and why
	Since    int64    `json:"since"`
}

// file is a bundle on disk.
type file struct {
	ID     string `json:"id,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

func (is *applied) changed(was applied) bool {
	return is.Running != was.Running || is.Shadow != was.Shadow || is.Fallback != was.Fallback || is.Refused != was.Refused
}

// loadRecord reads what ran before. A damaged file is an error beside an empty
// record: the plan says it all again.
func loadRecord(dir string) (record, error) {
	name := filepath.Join(dir, recordFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	out := record{}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil || out == nil {
		return record{}, fmt.Errorf("%s: %w: running the learned models until the plant says more", name, err)
	}
	return out, nil
}

// diskError is a fault of this machine's disk: it says nothing of a bundle.
type diskError struct{ err error }

func (e *diskError) Error() string { return "models: " + e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

// save writes the record, and removes files that nothing runs any more.
func (a *Agent) save() error {
	if !a.dirty {
		return nil
	}
	b, err := json.MarshalIndent(a.record, "", " ")
	if err != nil {
		return err
	}
	if err := disk.Replace(filepath.Join(a.Dir, recordFile), b, 0o600); err != nil {
		return &diskError{err}
	}
	a.dirty = false
	used := map[string]bool{}
	for _, is := range a.record {
		used[is.Running.SHA256], used[is.Shadow.SHA256] = true, true
	}
	files, err := os.ReadDir(filepath.Join(a.Dir, bundlesDir))
	if err != nil {
		return &diskError{err}
	}
	for _, f := range files {
		if !used[strings.TrimSuffix(f.Name(), bundle.Suffix)] {
			if err := os.Remove(filepath.Join(a.Dir, bundlesDir, f.Name())); err != nil {
				return &diskError{err}
			}
		}
	}
	return nil
}

func (a *Agent) bundleFile(sum string) string {
	return filepath.Join(a.Dir, bundlesDir, filepath.Base(sum)+bundle.Suffix)
}

// store puts a bundle on disk.
func (a *Agent) store(f file, raw []byte) error {
	if _, err := a.stored(f.SHA256); err == nil {
		return nil
	}
	if err := disk.Replace(a.bundleFile(f.SHA256), raw, 0o600); err != nil {
		return &diskError{err}
	}
	return nil
}

// stored is a bundle on disk, as it was verified when it came.
func (a *Agent) stored(sum string) ([]byte, error) {
	name := a.bundleFile(sum)
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.Size() > bundle.MaxSize {
		return nil, fmt.Errorf("%s: %d bytes", name, st.Size())
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if is := sha256.Sum256(raw); hex.EncodeToString(is[:]) != sum {
		return nil, fmt.Errorf("%s is damaged", name)
	}
	return raw, nil
}

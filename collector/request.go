package collector

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"millwright/plant"
	"millwright/plant/disk"
)

// A running edge holds its files, and has no door but that to its PLCs and its
// broker. Who may write into its data folder may leave a request there, which the
// edge looks for, carries out, and answers in a file beside it.

const (
	requestFolder = "release" // in the edge's data folder
	requestSuffix = ".json"
	answerSuffix  = ".answer"
	requestTime   = 2 * time.Second // between looks
	requestLife   = 7 * 24 * time.Hour
	maxRequest    = 16 << 10
	maxRequests   = 1000
)

// ErrPending is the answer while no edge has taken a request.
var ErrPending = errors.New("no edge has taken the request yet")

// request is the content of a request file.
type request struct {
	PLC string        `json:"plc"`
	Tag string        `json:"tag"`
	As  plant.Release `json:"as"`
	By  string        `json:"by"`
	At  int64         `json:"at"` // ns UTC
}

func (r *request) check() error {
	const most = 512
	for what, s := range map[string]string{"plc": r.PLC, "tag": r.Tag, "by": r.By} {
		if strings.TrimSpace(s) == "" || len(s) > most {
			return fmt.Errorf("%s is empty or longer than %d bytes", what, most)
		}
	}
	if err := r.As.Check(); err != nil {
		return fmt.Errorf("release %w", err)
	}
	return nil
}

// decodeRequest reads a request file.
func decodeRequest(b []byte) (request, error) {
	var r request
	if len(b) > maxRequest {
		return r, fmt.Errorf("longer than %d bytes", maxRequest)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, err
	}
	return r, r.check()
}

// requestAnswer is the content of an answer file.
type requestAnswer struct {
	Refused string `json:"refused,omitempty"`
}

// StateFileOf is where the edge with this data folder keeps the subscription of a
// PLC.
func StateFileOf(data, plc string) string { return filepath.Join(data, plc+".subscription") }

// Quarantined lists the tags of a PLC that are in quarantine, as the data folder
// of its edge says, whether the edge runs or not.
func Quarantined(data, plc string) ([]plant.QuarantinedTag, error) {
	return quarantinedIn(StateFileOf(data, plc) + identitySuffix)
}

// RequestRelease asks the edge with this data folder to release a tag, and waits
// until ctx ends for its answer. With ErrPending the request stays: the edge takes
// it at its next start, within a week.
func RequestRelease(ctx context.Context, data, plc, tag string, as plant.Release, by string) error {
	r := request{PLC: plc, Tag: tag, As: as, By: by, At: time.Now().UnixNano()}
	if err := r.check(); err != nil {
		return err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	dir := filepath.Join(data, requestFolder)
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var id [8]byte
	_, _ = rand.Read(id[:])
	name := filepath.Join(dir, hex.EncodeToString(id[:]))
	if err := disk.Replace(name+requestSuffix, b, secretMode); err != nil {
		return err
	}
	for {
		b, err := os.ReadFile(name + answerSuffix)
		if err == nil {
			var a requestAnswer
			if err := errors.Join(json.Unmarshal(b, &a), os.Remove(name+answerSuffix)); err != nil {
				return fmt.Errorf("the edge's answer: %w", err)
			}
			if a.Refused != "" {
				return errors.New(a.Refused)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: is it running? Remove %s to take it back", ErrPending, name+requestSuffix)
		case <-time.After(requestTime / 10):
		}
	}
}

// attend carries out the requests that are left for this PLC, until ctx ends.
func (s *Source) attend(ctx context.Context, d *identities) {
	if s.StateFile == "" {
		return
	}
	dir := filepath.Join(filepath.Dir(s.StateFile), requestFolder)
	quiet := map[string]bool{} // what is in the log already
	t := time.NewTicker(requestTime)
	defer t.Stop()
	for {
		names, err := requestsIn(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !quiet[""] {
			quiet[""] = true
			d.log.Warn("requests to release tags cannot be looked for: the folder must belong to the user that the edge runs as", "folder", dir, "err", err)
		}
		for _, name := range names {
			if err := s.answer(d, filepath.Join(dir, name)); err != nil && !quiet[name] {
				quiet[name] = true
				d.log.Warn("a request to release a tag", "file", filepath.Join(dir, name), "err", err)
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// requestsIn lists the requests in a folder, which need not be there.
func requestsIn(dir string) (names []string, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := f.Readdirnames(maxRequests)
	if err != nil && err != io.EOF {
		return nil, err
	}
	for _, name := range list {
		if strings.HasSuffix(name, requestSuffix) {
			names = append(names, name)
		}
	}
	return names, nil
}

// answer carries out one request, if it is for this PLC. The request is gone before
// it is carried out, so that a crash cannot repeat it later.
func (s *Source) answer(d *identities, name string) error {
	st, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // the source of another PLC has it
	case err != nil:
		return err
	case !st.Mode().IsRegular(): // reading a pipe would never end
		return errors.New("it is not a file")
	case st.Size() > maxRequest:
		return errors.New("too long")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("%w: it must be written by the user that the edge runs as", err)
	}
	r, err := decodeRequest(b)
	if err != nil || r.PLC != s.Name {
		return err
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	var a requestAnswer
	if time.Since(time.Unix(0, r.At)) > requestLife {
		err = errors.New("the request is older than a week: it may not be meant any more")
	} else {
		err = d.release(r.Tag, r.As, r.By)
	}
	if err != nil {
		a.Refused = err.Error()
		d.log.Warn("release from quarantine refused", "tag", r.Tag, "as", string(r.As), "by", r.By, "err", err)
	}
	if b, err = json.Marshal(a); err != nil {
		return err
	}
	return disk.Replace(strings.TrimSuffix(name, requestSuffix)+answerSuffix, b, secretMode)
}

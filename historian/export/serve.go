package export

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Errors of a Service that its caller may mend.
var (
	ErrTooLarge = errors.New("the export is too large for the works to send")
	ErrBusy     = errors.New("too many exports at once")
)

const askForLess = "; ask for a shorter span, a coarser grid or fewer tags, in several files"

// Service answers requests for exports of a running works. It makes a file before
// it sends it, so that an answer has a length and a hash and is right as a whole.
type Service struct {
	Source  Source
	Version string
	Dir     string // for files under way, which have no name there; the system's where empty
	Rows    int64  // of one export; 200 million
	Bytes   int64  // of one file; 4 GiB, and a quarter of what is free
	AtOnce  int    // exports at once; 2

	mu      sync.Mutex
	running int
	recent  []sent // newest last
}

// sent is the manifest of a file that was sent.
type sent struct {
	query    string
	manifest []byte
}

// keepSent is how many manifests are kept for those who come back for them.
const keepSent = 8

// Serve writes the file that the values ask for (see Parse), or with manifest=true
// the manifest of the file that was sent last for the same values. Where it
// returns an error without having written anything that is a *QueryError, ErrBusy
// or ErrTooLarge, the caller asked for it.
func (s *Service) Serve(ctx context.Context, w http.ResponseWriter, values url.Values) error {
	rest := url.Values{}
	for k, v := range values {
		if k != "manifest" {
			rest[k] = v
		}
	}
	q, err := Parse(rest, time.Now())
	var e QueryError
	onlyManifest := false
	switch v := values["manifest"]; {
	case len(v) == 0 || len(v) == 1 && v[0] == "false":
	case len(v) == 1 && v[0] == "true":
		onlyManifest = true
	default:
		e.add("manifest", "true or false, once", "%.40q is not allowed", strings.Join(v, ","))
	}
	if more := new(QueryError); errors.As(err, &more) {
		e.List = append(e.List, more.List...)
	}
	if err := e.err(); err != nil {
		return err
	}
	if onlyManifest {
		if m := s.find(q); m != nil {
			return sendManifest(w, m)
		}
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.serve(ctx, w, q, onlyManifest)
}

func (s *Service) serve(ctx context.Context, w http.ResponseWriter, q Query, onlyManifest bool) error {
	f, err := os.CreateTemp(s.Dir, ".export-")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer f.Close()
	// Without a name it goes with the process, however that ends.
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	limit := cmp.Or(s.Bytes, 4<<30)
	if free := freeSpace(f); free >= 0 {
		limit = min(limit, max(free/4, 1))
	}
	job := &Job{Source: s.Source, Version: s.Version, maxRows: cmp.Or(s.Rows, 200_000_000), maxBytes: limit}
	m, err := job.Write(ctx, q, f)
	if err != nil {
		return err
	}
	text, err := m.Encode()
	if err != nil {
		return err
	}
	s.keep(q, text)
	if onlyManifest {
		return sendManifest(w, text)
	}
	sum, err := hex.DecodeString(m.File.SHA256)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", contentTypes[m.Query.Format])
	h.Set("Content-Disposition", `attachment; filename="`+fileName(m.Query)+`"`)
	h.Set("Content-Length", strconv.FormatInt(m.File.Size, 10))
	h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
	h.Set("Millwright-Rows", strconv.FormatInt(m.Rows, 10))
	h.Set("Cache-Control", "no-store")
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

var contentTypes = map[Format]string{
	Parquet: "application/vnd.apache.parquet",
	Arrow:   "application/vnd.apache.arrow.file",
	CSV:     "text/csv; charset=utf-8; header=present",
}

// fileName is a name that says what is inside.
func fileName(q Query) string {
	name := "tags"
	if q.Asset != "" {
		name = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
				return r
			}
			return '.'
		}, q.Asset)
	}
	const layout = "20060102T150405Z"
	from, to := time.Unix(0, q.From).UTC().Format(layout), time.Unix(0, q.To).UTC().Format(layout)
	return fmt.Sprintf("%.100s-%s-%s.%s", name, from, to, q.Format)
}

func sendManifest(w http.ResponseWriter, text []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Cache-Control", "no-store")
	_, err := io.Copy(w, bytes.NewReader(text))
	return err
}

// freeSpace is what is free on the file's disk; -1: nobody knows.
func freeSpace(f *os.File) int64 {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil {
		return -1
	}
	return int64(st.Bavail) * int64(st.Bsize)
}

func (s *Service) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := cmp.Or(s.AtOnce, 2)
	if s.running >= most {
		return fmt.Errorf("%w: %d are under way; try again when one has ended", ErrBusy, most)
	}
	s.running++
	return nil
}

func (s *Service) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
}

func (s *Service) keep(q Query, manifest []byte) {
	const most = 1 << 20 // larger ones are made again
	if len(manifest) > most {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := q.Values().Encode()
	s.recent = slices.DeleteFunc(s.recent, func(x sent) bool { return x.query == key })
	s.recent = append(s.recent, sent{key, manifest})
	if len(s.recent) > keepSent {
		s.recent = slices.Delete(s.recent, 0, 1)
	}
}

func (s *Service) find(q Query) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := q.Values().Encode()
	for _, x := range s.recent {
		if x.query == key {
			return x.manifest
		}
	}
	return nil
}

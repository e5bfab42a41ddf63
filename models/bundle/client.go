package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"millwright/plant/disk"
)

// Errors of a client.
var (
	// ErrUnreachable says nothing of the repository: the line is down.
	ErrUnreachable = errors.New("the repository of models is out of reach")
	// ErrAbsent: the plant answers, and has no repository.
	ErrAbsent = errors.New("the plant has no repository of models")
	// ErrExpired: what the repository says is too old to be followed.
	ErrExpired = errors.New("expired")
	// ErrRefused is the reason of everything that was not to be trusted.
	ErrRefused = errors.New("refused")
)

// Client reads a repository, as an edge sees it. It trusts Root and what follows
// from it, and remembers in Dir what it has seen, so that nothing older counts
// afterwards. It is not safe for concurrent use.
type Client struct {
	URL  string // of the repository's public folder: "http://plant:8080/tuf/", "file:///…"
	CA   string // PEM file; empty: the system's
	Root []byte // 1.root.json, given by hand
	Dir  string
	Now  func() time.Time // nil: time.Now
}

// View is the repository at one moment.
type View struct {
	Plan Plan

	client *Client
	update *updater.Updater
	base   *url.URL
}

// Refused is an error with the mark of what was refused: the same file refused for
// the same reason has the same mark.
type Refused struct {
	Mark string
	Err  error
}

func (e *Refused) Error() string   { return e.Err.Error() }
func (e *Refused) Unwrap() []error { return []error{e.Err, ErrRefused} }

// Fetch brings the metadata and the plan up to date. ErrUnreachable, ErrAbsent,
// or a Refused, ErrExpired among them: then nothing new may be run.
func (c *Client) Fetch(ctx context.Context) (*View, error) {
	v, f, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	defer f.close()
	err = v.update.Refresh()
	if keepErr := c.keep(v.update, f); keepErr != nil {
		return nil, keepErr
	}
	if err != nil {
		return nil, verdict(err, f)
	}
	file, err := v.update.GetTargetInfo(planTarget)
	if keepErr := c.keep(v.update, f); keepErr != nil {
		return nil, keepErr
	}
	if err != nil {
		return nil, verdict(err, f)
	}
	b, err := c.plan(v, file)
	if err != nil {
		return nil, verdict(err, f)
	}
	if v.Plan, err = DecodePlan(b); err != nil {
		return nil, verdict(err, f)
	}
	return v, nil
}

// plan reads the plan from the last time, or downloads it.
func (c *Client) plan(v *View, file *metadata.TargetFiles) ([]byte, error) {
	if file.Length > maxPlan {
		return nil, fmt.Errorf("plan of %d bytes", file.Length)
	}
	name := filepath.Join(c.Dir, "plan.json")
	if b, err := os.ReadFile(name); err == nil && file.VerifyLengthHashes(b) == nil {
		return b, nil
	}
	_, b, err := v.update.DownloadTarget(file, "", "")
	if err != nil {
		return nil, err
	}
	return b, disk.Replace(name, b, 0o600)
}

// Sum is the SHA-256 of a bundle's file, as the plant has signed it. An error is a
// Refused.
func (v *View) Sum(id string) (string, error) {
	file, err := v.target(id)
	if err != nil {
		return "", &Refused{Mark: id, Err: err}
	}
	return file.Hashes["sha256"].String(), nil
}

func (v *View) target(id string) (*metadata.TargetFiles, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	file, err := v.update.GetTargetInfo(id + Suffix)
	if err != nil {
		return nil, err
	}
	if file.Length > MaxSize || len(file.Hashes) != 1 || len(file.Hashes["sha256"]) == 0 {
		return nil, fmt.Errorf("bundle %s: %d bytes, %d sums: at most %d bytes, and a SHA-256", id, file.Length, len(file.Hashes), MaxSize)
	}
	return file, nil
}

// Load returns a bundle's file: verified, not yet parsed. ErrUnreachable or a
// Refused.
func (v *View) Load(ctx context.Context, id string) ([]byte, error) {
	f, err := newFetcher(ctx, v.base, v.client.CA, v.client.Now)
	if err != nil {
		return nil, err
	}
	defer f.close()
	file, err := v.target(id)
	if err != nil {
		return nil, verdict(err, f)
	}
	name := file.Hashes["sha256"].String() + "." + id + Suffix
	b, err := f.DownloadFile(v.base.JoinPath(targetsDir, name).String(), file.Length, 0)
	if err == nil {
		err = file.VerifyLengthHashes(b)
	}
	if err != nil {
		return nil, verdict(fmt.Errorf("bundle %s: %w", id, err), f)
	}
	return b, nil
}

func (c *Client) open(ctx context.Context) (*View, *fetcher, error) {
	base, err := url.Parse(c.URL)
	if err != nil {
		return nil, nil, fmt.Errorf("models: %w", err)
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	f, err := newFetcher(ctx, base, c.CA, c.Now)
	if err != nil {
		return nil, nil, err
	}
	root, err := c.root()
	if err != nil {
		return nil, nil, err
	}
	c.dropDamaged()
	u, err := updater.New(&config.UpdaterConfig{
		MaxRootRotations: 64, MaxDelegations: 4,
		RootMaxLength: 256 << 10, TimestampMaxLength: 16 << 10, SnapshotMaxLength: 256 << 10, TargetsMaxLength: 8 << 20,
		Fetcher: f, LocalTrustedRoot: root, LocalMetadataDir: c.Dir,
		RemoteMetadataURL: base.String(), RemoteTargetsURL: base.JoinPath(targetsDir).String(),
		// The updater reads what is in Dir and writes nothing: its files would not
		// outlive a power cut. keep writes them.
		DisableLocalCache: true, PrefixTargetsWithHash: true,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("models: root of the repository: %w", err)
	}
	if c.Now != nil {
		u.UnsafeSetRefTime(c.Now().UTC())
	}
	return &View{client: c, update: u, base: base}, f, nil
}

// root is the newest root that followed from the given one. One that follows
// from another is not ours any more: somebody has given the edge a new plant.
func (c *Client) root() ([]byte, error) {
	name := filepath.Join(c.Dir, "first.root.json")
	first, err := os.ReadFile(name)
	if err == nil && bytes.Equal(first, c.Root) {
		b, err := os.ReadFile(filepath.Join(c.Dir, "root.json"))
		if err == nil {
			if _, err = metadata.Root().FromBytes(b); err == nil {
				return b, nil
			}
		}
		return c.Root, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS, planRole} {
		if err := os.Remove(c.local(role)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return c.Root, disk.Replace(name, c.Root, 0o600)
}

func (c *Client) local(role string) string { return filepath.Join(c.Dir, role+".json") }

// dropDamaged removes files that are no metadata: the updater would stumble over
// them at each try.
func (c *Client) dropDamaged() {
	drop := func(role string, err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(c.local(role))
		}
	}
	_, err := metadata.Timestamp().FromFile(c.local(metadata.TIMESTAMP))
	drop(metadata.TIMESTAMP, err)
	_, err = metadata.Snapshot().FromFile(c.local(metadata.SNAPSHOT))
	drop(metadata.SNAPSHOT, err)
	for _, role := range []string{metadata.TARGETS, planRole} {
		_, err = metadata.Targets().FromFile(c.local(role))
		drop(role, err)
	}
}

// keep writes what the updater has come to trust, as it came.
func (c *Client) keep(u *updater.Updater, f *fetcher) error {
	set := u.GetTrustedMetadataSet()
	err := keep1(c, f, metadata.ROOT, set.Root, set.Root.Signed.Version)
	if set.Timestamp != nil {
		err = errors.Join(err, keep1(c, f, metadata.TIMESTAMP, set.Timestamp, 0))
	}
	if set.Snapshot != nil {
		err = errors.Join(err, keep1(c, f, metadata.SNAPSHOT, set.Snapshot, set.Snapshot.Signed.Version))
	}
	for _, role := range []string{metadata.TARGETS, planRole} {
		if m := set.Targets[role]; m != nil {
			err = errors.Join(err, keep1(c, f, role, m, m.Signed.Version))
		}
	}
	return err
}

// keep1 writes the file of a role if it came this time and is the trusted one.
func keep1[T metadata.Roles](c *Client, f *fetcher, role string, trusted *metadata.Metadata[T], version int64) error {
	name := role + ".json"
	if version > 0 {
		name = fmt.Sprintf("%d.%s", version, name)
	}
	b, ok := f.files[name]
	if !ok {
		return nil
	}
	came, err := (&metadata.Metadata[T]{}).FromBytes(b)
	if err != nil {
		return nil // refused
	}
	is, err := came.ToBytes(false)
	if err != nil {
		return err
	}
	want, err := trusted.ToBytes(false)
	if err != nil {
		return err
	}
	if !bytes.Equal(is, want) {
		return nil
	}
	if have, err := os.ReadFile(c.local(role)); err == nil && bytes.Equal(have, b) {
		return nil
	}
	return disk.Replace(c.local(role), b, 0o600)
}

// verdict says of an error what follows from it.
func verdict(err error, f *fetcher) error {
	if errors.Is(err, ErrUnreachable) || f.ctx.Err() != nil {
		return errors.Join(err, f.ctx.Err())
	}
	var status *metadata.ErrDownloadHTTP
	if errors.As(err, &status) && status.StatusCode == http.StatusNotFound && strings.HasSuffix(status.URL, "/timestamp.json") {
		return fmt.Errorf("%w at %s", ErrAbsent, f.base.Redacted())
	}
	mark := sha256.New() // of what has expired the text is enough, whichever file said so
	if errors.Is(err, &metadata.ErrExpiredMetadata{}) {
		err = fmt.Errorf("%w (%w): on the plant's server run millwright models renew, or check both clocks", err, ErrExpired)
	} else {
		mark.Write(append([]byte(f.name), f.last...))
	}
	fmt.Fprint(mark, err)
	return &Refused{Mark: hex.EncodeToString(mark.Sum(nil)), Err: fmt.Errorf("models of %s: %w", f.base.Redacted(), err)}
}

// Package checkpoint is the file in which a box tells the plant what another one
// needs to take its place: configuration, learned state, trust, names of bundles.
// FORMAT.md has the bytes. It holds no key and no password: a spare has its own.
package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"millwright/plant"
)

// Bounds of a checkpoint.
const (
	MaxSize     = 64 << 20 // bytes of the file
	maxManifest = 16 << 20 // bytes; a tag takes some 200
	maxFiles    = 10_000
	maxName     = 200 // bytes
)

// Version of the format that this program writes, and the newest that it reads.
const Version = 1

const magic = "MWCHKPT1"

// ErrDamaged says that the bytes are not a checkpoint, or not whole.
var ErrDamaged = errors.New("damaged checkpoint")

// Manifest is what a checkpoint says of itself. Times are ns UTC of the box.
type Manifest struct {
	Version int    `json:"version"`
	Group   string `json:"group"` // Sparkplug identity, which moves with the checkpoint
	Edge    string `json:"edge"`
	Box     string `json:"box"`     // account of the box at plant and broker, which does not
	Program string `json:"program"` // version of the program
	Created int64  `json:"created"`
	Epoch   uint64 `json:"epoch"`  // of the box's queue
	Oldest  int64  `json:"oldest"` // creation time of the oldest record that the plant had not stored, 0 none

	Tags    []Tag    `json:"tags"`    // with their handles, which other files name them by
	Secrets []Secret `json:"secrets"` // what the configuration names and does not travel
	Files   []File   `json:"files"`
}

// Tag is a tag with its handle and the device that it is sent under.
type Tag struct {
	Device string    `json:"device"`
	Tag    plant.Tag `json:"tag"`
}

// Secret is a file of a password or key that the spare must have itself.
type Secret struct {
	Key  string `json:"key"`  // of the configuration: "plc[0].password_file"
	Name string `json:"name"` // where the configuration looks for it, below its own folder
}

// File is one file of a checkpoint. Its name is relative, with slashes.
type File struct {
	Name   string `json:"name"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`
}

// Checkpoint is a manifest with the content of its files.
type Checkpoint struct {
	Manifest
	content map[string][]byte
}

// Add puts a file in, in place of one of the same name.
func (c *Checkpoint) Add(name string, b []byte) {
	if c.content == nil {
		c.content = map[string][]byte{}
	}
	c.content[name] = b
}

// Content is that of a file, nil where there is none.
func (c *Checkpoint) Content(name string) []byte { return c.content[name] }

// Encode gives the bytes. The manifest's Version and Files are set here.
func (c *Checkpoint) Encode() ([]byte, error) {
	c.Version, c.Files = Version, nil
	for name, b := range c.content {
		sum := sha256.Sum256(b)
		c.Files = append(c.Files, File{name, len(b), hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(c.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	if err := c.check(); err != nil {
		return nil, err
	}
	head, err := json.Marshal(&c.Manifest)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	b := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(head)))
	b = append(b, head...)
	for _, f := range c.Files {
		b = append(b, c.content[f.Name]...)
	}
	sum := sha256.Sum256(b)
	if b = append(b, sum[:]...); len(b) > MaxSize || len(head) > maxManifest {
		return nil, fmt.Errorf("checkpoint of %d bytes with a manifest of %d: at most %d and %d are kept", len(b), len(head), MaxSize, maxManifest)
	}
	return b, nil
}

// Decode reads what Encode gave. The contents are parts of b. An error of bytes
// that are not whole is ErrDamaged.
func Decode(b []byte) (*Checkpoint, error) {
	const least = len(magic) + 4 + sha256.Size
	if len(b) < least || len(b) > MaxSize || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: %d bytes do not begin as one", ErrDamaged, len(b))
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if is := sha256.Sum256(body); !bytes.Equal(is[:], sum) {
		return nil, fmt.Errorf("%w: checksum", ErrDamaged)
	}
	size := int(binary.LittleEndian.Uint32(b[len(magic):]))
	rest := body[len(magic)+4:]
	if size > maxManifest || size > len(rest) {
		return nil, fmt.Errorf("%w: manifest of %d bytes", ErrDamaged, size)
	}
	c := &Checkpoint{content: map[string][]byte{}}
	d := json.NewDecoder(bytes.NewReader(rest[:size]))
	if err := d.Decode(&c.Manifest); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the manifest", ErrDamaged)
	}
	if c.Version < 1 || c.Version > Version {
		return nil, fmt.Errorf("a checkpoint of format %d: this program reads up to %d, use the version that wrote it (%.40q)", c.Version, Version, c.Program)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	rest = rest[size:]
	for _, f := range c.Files {
		if f.Size > len(rest) {
			return nil, fmt.Errorf("%w: %s is cut short", ErrDamaged, f.Name)
		}
		content := rest[:f.Size:f.Size]
		if is := sha256.Sum256(content); hex.EncodeToString(is[:]) != f.SHA256 {
			return nil, fmt.Errorf("%w: %s", ErrDamaged, f.Name)
		}
		c.content[f.Name], rest = content, rest[f.Size:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrDamaged, len(rest))
	}
	return c, nil
}

// check says what is wrong with the manifest: names that would leave a folder
// above all.
func (m *Manifest) check() error {
	if len(m.Files) > maxFiles || len(m.Secrets) > maxFiles {
		return fmt.Errorf("%d files", len(m.Files))
	}
	last := ""
	for _, f := range m.Files {
		if err := checkName(f.Name); err != nil {
			return err
		}
		if f.Name <= last || f.Size < 0 {
			return fmt.Errorf("file %q is out of order, or has no size", f.Name)
		}
		last = f.Name
	}
	for _, s := range m.Secrets {
		if err := checkName(s.Name); err != nil {
			return err
		}
	}
	seen := map[plant.TagID]bool{}
	for i := range m.Tags {
		t := &m.Tags[i].Tag
		if t.ID == 0 || t.Path == "" || seen[t.ID] {
			return fmt.Errorf("tag %.200q has no handle of its own", t.Path)
		}
		seen[t.ID] = true
	}
	return nil
}

func checkName(name string) error {
	if len(name) > maxName || strings.ContainsAny(name, "\\\x00") || !filepath.IsLocal(name) || filepath.ToSlash(filepath.Clean(name)) != name {
		return fmt.Errorf("file name %.220q", name)
	}
	return nil
}

package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"millwright/plant/disk"
)

// ManifestName is the name of the manifest beside a file.
func ManifestName(file string) string { return file + ".manifest.json" }

// WriteFile writes the file that a query asks for, and its manifest beside it.
// The file appears whole or not at all: it is written beside its place, synced
// and moved there. Of a manifest that stands there already nothing is left when
// the file changes.
func (j *Job) WriteFile(ctx context.Context, q Query, name string) (*Manifest, error) {
	var m *Manifest
	err := Place(name, func(f *os.File) ([]byte, error) {
		var err error
		if m, err = j.Write(ctx, q, f); err != nil {
			return nil, err
		}
		return m.Encode()
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Place puts a file and the manifest that write returns into their places.
func Place(name string, write func(f *os.File) (manifest []byte, err error)) error {
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	manifest, err := write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Remove(ManifestName(name))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	// Writing the manifest syncs the folder, and with it the file's name.
	if err := disk.Replace(ManifestName(name), manifest, 0o644); err != nil {
		return fmt.Errorf("%s stands, its manifest does not: %w", filepath.Base(name), err)
	}
	return nil
}

// Encode is the manifest as it stands beside a file.
func (m *Manifest) Encode() ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

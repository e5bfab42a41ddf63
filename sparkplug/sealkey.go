package sparkplug

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"millwright/plant/disk"
)

// SealKey reads the signing key in a PEM file (PKCS #8), and makes it where there
// is none.
func SealKey(name string) (ed25519.PrivateKey, error) {
	key, err := disk.ReadKey(name)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = newSealKey(name)
	}
	if err != nil {
		return nil, fmt.Errorf("signing %w; put the right one back, or remove it for a new one, which the other side must be told", err)
	}
	return key, nil
}

func newSealKey(name string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	return key, disk.WriteKey(name, key)
}

// FormatSealKey is the public half of a signing key as configurations hold it.
func FormatSealKey(k ed25519.PrivateKey) string {
	p, _ := k.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(p)
}

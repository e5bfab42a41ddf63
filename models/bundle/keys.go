package bundle

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"millwright/plant/disk"
)

// key is an Ed25519 key that signs for a role.
type key struct {
	private ed25519.PrivateKey
	public  *metadata.Key
	signer  signature.Signer
	id      string
}

const pemType = "PRIVATE KEY" // PKCS 8

// newKey makes a key and writes it, readable for its owner only.
func newKey(dir string, name func(*key) string) (*key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	k, err := asKey(private)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, name(k))
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is there already: keys are never written over", file)
	}
	return k, disk.Replace(file, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), 0o600)
}

func asKey(private ed25519.PrivateKey) (*key, error) {
	public, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	id, err := public.ID()
	if err != nil {
		return nil, err
	}
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	return &key{private: private, public: public, signer: signer, id: id}, nil
}

// readKey reads a key. One that others can read is refused: it may be theirs by
// now.
func readKey(file string) (*key, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key %s can be read by others (mode %04o): chmod 600", file, st.Mode().Perm())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("key %s: no PEM block %q", file, pemType)
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", file, err)
	}
	private, ok := any.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key %s: is no Ed25519 key", file)
	}
	return asKey(private)
}

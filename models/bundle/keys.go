package bundle

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
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
	return k, disk.WriteKey(filepath.Join(dir, name(k)), private)
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

// readKey reads a key.
func readKey(file string) (*key, error) {
	private, err := disk.ReadKey(file)
	if err != nil {
		return nil, err
	}
	return asKey(private)
}

package main

import (
	"crypto/ed25519"
	"fmt"
	"path/filepath"

	"millwright/plant/config"
	"millwright/sparkplug"
)

type brokerKeyCmd struct {
	Config string `short:"c" required:"" help:"Configuration file with [edge] or [historian]." placeholder:"FILE.toml"`
}

// Run prints the public keys, in the words in which the other side's
// configuration takes them.
func (c *brokerKeyCmd) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if cfg.Edge == nil && cfg.Historian == nil {
		return fmt.Errorf("%s has neither [edge] nor [historian]: nobody signs there", c.Config)
	}
	if e := cfg.Edge; e != nil {
		key, err := sealKey(true, e.Data)
		if err != nil {
			return err
		}
		fmt.Printf("# for the historian's configuration; this edge signs with sign = true in [edge]\n[[historian.signed]]\nedge = %q\nkey = %q\n",
			e.Group+"/"+e.Name, sparkplug.FormatSealKey(key))
	}
	if h := cfg.Historian; h != nil {
		key, err := sealKey(true, h.Data)
		if err != nil {
			return err
		}
		fmt.Printf("# for [edge] of each edge; this historian signs with sign = true in [historian]\nhost_key = %q\n", sparkplug.FormatSealKey(key))
	}
	return nil
}

// sealKey is the key with which a role signs, nil where it does not. It lies in
// the role's data folder.
func sealKey(sign bool, dir string) (ed25519.PrivateKey, error) {
	if !sign {
		return nil, nil
	}
	return sparkplug.SealKey(filepath.Join(dir, "seal.key"))
}

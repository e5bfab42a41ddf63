package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Cost is the work of one argon2id hash (RFC 9106).
type Cost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultCost takes 64 MiB and about a fifth of a second, well above the OWASP
// minimum (19 MiB, 2 passes).
var DefaultCost = Cost{Memory: 64 << 10, Time: 3, Threads: 1}

// Length limits of a password. The upper one bounds the work of hashing.
const (
	MinPassword = 12
	MaxPassword = 256
)

// CheckPassword says what is wrong with a new password, or nil. Length is the
// only rule: composition rules make passwords worse (NIST SP 800-63B).
func CheckPassword(p string) error {
	if !utf8.ValidString(p) {
		return fmt.Errorf("password: not valid UTF-8")
	}
	if n := utf8.RuneCountInString(p); n < MinPassword || len(p) > MaxPassword {
		return fmt.Errorf("password: %d characters; %d to %d are allowed", n, MinPassword, MaxPassword)
	}
	return nil
}

const saltSize, keySize = 16, 32

// hash makes the PHC string of a password.
func (b *Book) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	key, err := b.derive(ctx, password, salt, b.Cost)
	if err != nil {
		return "", err
	}
	return phc(b.Cost, salt, key), nil
}

// verify checks a password against a PHC string.
func (b *Book) verify(ctx context.Context, stored, password string) (bool, error) {
	cost, salt, want, err := parsePHC(stored)
	if err != nil {
		return false, err
	}
	if len(password) > MaxPassword {
		password = "" // too long to be anybody's; the work stays the same
	}
	got, err := b.derive(ctx, password, salt, cost)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// derive runs argon2id, a few at a time: each takes Cost.Memory.
func (b *Book) derive(ctx context.Context, password string, salt []byte, c Cost) ([]byte, error) {
	select {
	case b.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-b.hashing }()
	return argon2.IDKey([]byte(password), salt, c.Time, c.Memory, c.Threads, keySize), nil
}

// decoy is a hash that no password opens, of the same cost as a real one.
func decoy(c Cost) string { return phc(c, make([]byte, saltSize), make([]byte, keySize)) }

func phc(c Cost, salt, key []byte) string {
	e := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Time, c.Threads, e.EncodeToString(salt), e.EncodeToString(key))
}

func parsePHC(s string) (c Cost, salt, key []byte, err error) {
	f := strings.Split(s, "$")
	if len(f) != 6 || f[1] != "argon2id" || f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, fmt.Errorf("accounts: stored password is not an argon2id hash")
	}
	if _, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Time, &c.Threads); err != nil || c.Time == 0 || c.Threads == 0 {
		return c, nil, nil, fmt.Errorf("accounts: stored password: cost %q", f[3])
	}
	salt, err = base64.RawStdEncoding.DecodeString(f[4])
	if err != nil {
		return c, nil, nil, fmt.Errorf("accounts: stored password: salt: %w", err)
	}
	key, err = base64.RawStdEncoding.DecodeString(f[5])
	if err != nil || len(key) != keySize {
		return c, nil, nil, fmt.Errorf("accounts: stored password: key of %d bytes", len(key))
	}
	return c, salt, key, nil
}

// Package account knows who may use the HMI: users with a role and a password,
// the sessions of browsers and the tokens of programs.
//
// Everything is in one small SQLite file, so that an account made by the command
// line counts at once in a running server. Secrets are never stored: passwords
// as argon2id, session and token secrets (256 random bits) as SHA-256.
package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"millwright/plant/sqlite"
)

// Faults that callers tell apart.
var (
	ErrExists   = errors.New("account: this name exists already")
	ErrUnknown  = errors.New("account: no such user")
	ErrWrong    = errors.New("account: name or password is wrong")
	ErrNone     = errors.New("account: session or token is unknown or has ended")
	ErrNotFirst = errors.New("account: there is an account already")
)

const schema = `
CREATE TABLE IF NOT EXISTS user (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role     TEXT NOT NULL,
  password TEXT NOT NULL,
  created  INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS session (
  hash    BLOB PRIMARY KEY,
  user    INTEGER NOT NULL REFERENCES user(id) ON DELETE CASCADE,
  expires INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS session_expires ON session(expires);
CREATE TABLE IF NOT EXISTS token (
  user    INTEGER PRIMARY KEY REFERENCES user(id) ON DELETE CASCADE,
  hash    BLOB NOT NULL UNIQUE,
  created INTEGER NOT NULL
) STRICT;
`

// User is somebody who has been recognised.
type User struct {
	Name string
	Role Role
}

// Book is the file of accounts. Its methods may be called from any goroutine,
// and several processes may have it open.
type Book struct {
	Cost     Cost          // of new password hashes
	Lifetime time.Duration // of sessions

	db      *sql.DB
	hashing chan struct{} // bounds the memory of password checks that run at once
}

// Open opens or creates accounts.sqlite in the folder dir, which it makes with
// mode 0700.
func Open(dir string) (*Book, error) {
	db, err := sqlite.Open(filepath.Join(dir, "accounts.sqlite"), schema)
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	return &Book{Cost: DefaultCost, Lifetime: 12 * time.Hour, db: db, hashing: make(chan struct{}, 2)}, nil
}

// Close closes the file. It may be called twice.
func (b *Book) Close() error { return b.db.Close() }

// Empty reports whether nobody has an account yet.
func (b *Book) Empty(ctx context.Context) (bool, error) {
	var n int
	err := b.db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM user LIMIT 1)").Scan(&n)
	if err != nil {
		return false, fmt.Errorf("accounts: %w", err)
	}
	return n == 0, nil
}

// Add makes an account. ErrExists when the name (in any case) is taken.
func (b *Book) Add(ctx context.Context, name string, role Role, password string) error {
	return b.add(ctx, name, role, password, "")
}

// First makes the first account, an admin; ErrNotFirst when there is one, also
// when another call was faster.
func (b *Book) First(ctx context.Context, name, password string) error {
	return b.add(ctx, name, Admin, password, " WHERE NOT EXISTS (SELECT 1 FROM user)")
}

func (b *Book) add(ctx context.Context, name string, role Role, password, where string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := CheckPassword(password); err != nil {
		return err
	}
	if _, err := ParseRole(string(role)); err != nil {
		return err
	}
	hash, err := b.hash(ctx, password)
	if err != nil {
		return err
	}
	res, err := b.db.ExecContext(ctx, "INSERT INTO user (name, role, password, created) SELECT ?, ?, ?, ?"+where,
		name, string(role), hash, time.Now().UnixMilli())
	if err != nil {
		if strings.Contains(err.Error(), "UNIQUE") {
			return fmt.Errorf("%w: %s", ErrExists, name)
		}
		return fmt.Errorf("accounts: add %s: %w", name, err)
	}
	if n, err := res.RowsAffected(); err != nil {
		return fmt.Errorf("accounts: add %s: %w", name, err)
	} else if n == 0 {
		return ErrNotFirst
	}
	return nil
}

// Login checks a password. ErrWrong does not tell whether the name exists, and
// takes as long either way.
func (b *Book) Login(ctx context.Context, name, password string) (User, error) {
	var u User
	var hash string
	err := b.db.QueryRowContext(ctx, "SELECT name, role, password FROM user WHERE name = ?", name).Scan(&u.Name, &u.Role, &hash)
	known := err == nil
	if errors.Is(err, sql.ErrNoRows) {
		hash = decoy(b.Cost)
	} else if err != nil {
		return User{}, fmt.Errorf("accounts: %w", err)
	}
	ok, err := b.verify(ctx, hash, password)
	if err != nil {
		return User{}, err
	}
	if !ok || !known {
		return User{}, ErrWrong
	}
	return u, nil
}

// CheckName says what is wrong with a user name, or nil.
func CheckName(name string) error {
	if len(name) < 1 || len(name) > 64 {
		return fmt.Errorf("name: %d characters; 1 to 64 are allowed", len(name))
	}
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("._-@", c)) {
			return fmt.Errorf("name: %q is not allowed; letters, digits and . _ - @", c)
		}
	}
	return nil
}

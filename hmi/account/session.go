package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// NewSession begins a session of a user and returns its secret, which goes into
// the browser's cookie, and when it ends. Ended sessions are swept here.
func (b *Book) NewSession(ctx context.Context, name string) (secret string, ends time.Time, err error) {
	secret, hash := newSecret()
	now := time.Now()
	ends = now.Add(b.Lifetime)
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return "", ends, fmt.Errorf("accounts: session: %w", err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE expires <= ?", now.UnixMilli()); err != nil {
		return "", ends, fmt.Errorf("accounts: session: %w", err)
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO session (hash, user, expires) SELECT ?, id, ? FROM user WHERE name = ?", hash, ends.UnixMilli(), name)
	if err := one(res, err, name); err != nil {
		return "", ends, err
	}
	if err := tx.Commit(); err != nil {
		return "", ends, fmt.Errorf("accounts: session: %w", err)
	}
	return secret, ends, nil
}

// Session finds the user of a session's secret. ErrNone when it has ended.
func (b *Book) Session(ctx context.Context, secret string) (User, error) {
	return b.find(ctx, "SELECT name, role FROM session JOIN user ON user.id = session.user WHERE hash = ? AND expires > ?",
		digest(secret), time.Now().UnixMilli())
}

// EndSession ends a session. An unknown secret is no error.
func (b *Book) EndSession(ctx context.Context, secret string) error {
	if _, err := b.db.ExecContext(ctx, "DELETE FROM session WHERE hash = ?", digest(secret)); err != nil {
		return fmt.Errorf("accounts: end session: %w", err)
	}
	return nil
}

// Token makes the token of a user for programs; the one before is void from now
// on. ErrUnknown when there is no such user.
func (b *Book) Token(ctx context.Context, name string) (string, error) {
	secret, _ := newSecret()
	// The prefix lets scanners for leaked secrets recognise it.
	token := "mw_" + secret
	res, err := b.db.ExecContext(ctx, `INSERT INTO token (user, hash, created) SELECT id, ?, ? FROM user WHERE name = ?
		ON CONFLICT (user) DO UPDATE SET hash = excluded.hash, created = excluded.created`, digest(token), time.Now().UnixMilli(), name)
	if err := one(res, err, name); err != nil {
		return "", err
	}
	return token, nil
}

// Bearer finds the user of a token. ErrNone when it is unknown.
func (b *Book) Bearer(ctx context.Context, token string) (User, error) {
	return b.find(ctx, "SELECT name, role FROM token JOIN user ON user.id = token.user WHERE hash = ?", digest(token))
}

func (b *Book) find(ctx context.Context, query string, args ...any) (User, error) {
	var u User
	err := b.db.QueryRowContext(ctx, query, args...).Scan(&u.Name, &u.Role)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNone
	}
	if err != nil {
		return User{}, fmt.Errorf("accounts: %w", err)
	}
	return u, nil
}

// one says ErrUnknown when the statement found no user of that name.
func one(res sql.Result, err error, name string) error {
	if err != nil {
		return fmt.Errorf("accounts: %s: %w", name, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("accounts: %s: %w", name, err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	return nil
}

// newSecret makes 256 random bits as text, and what is stored of them.
func newSecret() (secret string, hash []byte) {
	var b [32]byte
	rand.Read(b[:])
	secret = base64.RawURLEncoding.EncodeToString(b[:])
	return secret, digest(secret)
}

// digest needs no salt and no cost: the secrets are random.
func digest(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

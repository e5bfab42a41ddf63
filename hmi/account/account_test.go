package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var cheap = Cost{Memory: 64, Time: 1, Threads: 1}

func open(t *testing.T, dir string) *Book {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	b.Cost = cheap
	t.Cleanup(func() { b.Close() })
	return b
}

const password = "correct horse battery"

func TestLogin(t *testing.T) {
	ctx := t.Context()
	b := open(t, t.TempDir())
	if err := b.Add(ctx, "Anna", Operator, password); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"Anna", password, nil},
		{"anna", password, nil},
		{"Anna", password + " ", ErrWrong},
		{"Anna", "", ErrWrong},
		{"Anna", strings.Repeat("x", 1<<20), ErrWrong},
		{"nobody", password, ErrWrong},
		{"' OR 1=1 --", password, ErrWrong},
	} {
		u, err := b.Login(ctx, c.name, c.password)
		if !errors.Is(err, c.want) {
			t.Errorf("Login(%q, …) = %v, want %v", c.name, err, c.want)
		}
		if err == nil && (u != User{Name: "Anna", Role: Operator}) {
			t.Errorf("Login(%q) = %+v", c.name, u)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	ctx := t.Context()
	b := open(t, t.TempDir())
	if err := b.Add(ctx, "anna", Viewer, password); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		role     Role
		password string
		want     string
	}{
		{"ANNA", Viewer, password, "exists already"},
		{"", Viewer, password, "name: 0 characters"},
		{"a b", Viewer, password, "name: ' ' is not allowed"},
		{strings.Repeat("a", 65), Viewer, password, "name: 65 characters"},
		{"bob", "root", password, `role: "root" is not allowed`},
		{"bob", Viewer, "short", "password: 5 characters"},
		{"bob", Viewer, strings.Repeat("x", 257), "password: 257 characters"},
		{"bob", Viewer, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "UTF-8"},
	} {
		err := b.Add(ctx, c.name, c.role, c.password)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Add(%q, %q) = %v, want %q", c.name, c.role, err, c.want)
		}
	}
	if _, err := b.Login(ctx, "bob", password); !errors.Is(err, ErrWrong) {
		t.Errorf("a refused account can log in: %v", err)
	}
}

func TestFirstOnce(t *testing.T) {
	ctx := t.Context()
	b := open(t, t.TempDir())
	if empty, err := b.Empty(ctx); err != nil || !empty {
		t.Fatalf("Empty = %v, %v", empty, err)
	}
	errs := make(chan error, 8)
	for i := range 8 {
		go func() { errs <- b.First(ctx, fmt.Sprint("admin", i), password) }()
	}
	made := 0
	for range 8 {
		switch err := <-errs; {
		case err == nil:
			made++
		case !errors.Is(err, ErrNotFirst):
			t.Errorf("First: %v", err)
		}
	}
	if made != 1 {
		t.Errorf("%d first accounts", made)
	}
	if empty, err := b.Empty(ctx); err != nil || empty {
		t.Errorf("Empty = %v, %v", empty, err)
	}
}

func TestSession(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	b := open(t, dir)
	if err := b.Add(ctx, "anna", Engineer, password); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.NewSession(ctx, "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("session of nobody: %v", err)
	}
	secret, ends, err := b.NewSession(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Until(ends); d < 11*time.Hour || d > 12*time.Hour {
		t.Errorf("ends in %v", d)
	}
	// It outlives the process, and another process sees it.
	other := open(t, dir)
	if u, err := other.Session(ctx, secret); err != nil || u.Name != "anna" || u.Role != Engineer {
		t.Errorf("Session = %+v, %v", u, err)
	}
	if _, err := b.Bearer(ctx, secret); !errors.Is(err, ErrNone) {
		t.Errorf("a session as token: %v", err)
	}
	if err := other.EndSession(ctx, secret); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Session(ctx, secret); !errors.Is(err, ErrNone) {
		t.Errorf("ended session: %v", err)
	}

	b.Lifetime = -time.Second
	secret, _, err = b.NewSession(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Session(ctx, secret); !errors.Is(err, ErrNone) {
		t.Errorf("expired session: %v", err)
	}
	b.Lifetime = time.Hour
	if _, _, err := b.NewSession(ctx, "anna"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := b.db.QueryRow("SELECT count(*) FROM session").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d sessions kept, %v; the expired one is to be swept", n, err)
	}
}

func TestToken(t *testing.T) {
	ctx := t.Context()
	b := open(t, t.TempDir())
	if err := b.Add(ctx, "robot", Viewer, password); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Token(ctx, "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("token of nobody: %v", err)
	}
	old, err := b.Token(ctx, "robot")
	if err != nil {
		t.Fatal(err)
	}
	if u, err := b.Bearer(ctx, old); err != nil || u.Name != "robot" {
		t.Errorf("Bearer = %+v, %v", u, err)
	}
	fresh, err := b.Token(ctx, "robot")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Bearer(ctx, old); !errors.Is(err, ErrNone) {
		t.Errorf("the replaced token still opens: %v", err)
	}
	if _, err := b.Bearer(ctx, fresh); err != nil {
		t.Errorf("new token: %v", err)
	}
}

// TestNoSecretOnDisk looks for the plain secrets in every file of the folder.
func TestNoSecretOnDisk(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	b := open(t, dir)
	if err := b.Add(ctx, "anna", Viewer, password); err != nil {
		t.Fatal(err)
	}
	session, _, err := b.NewSession(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	token, err := b.Token(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	seen := false
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		seen = seen || strings.Contains(string(data), "argon2id")
		for _, s := range []string{password, session, strings.TrimPrefix(token, "mw_")} {
			if strings.Contains(string(data), s) {
				t.Errorf("%s holds a secret in plain", f.Name())
			}
		}
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
	if !seen {
		t.Error("no password hash found: the search proves nothing")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("newer version", func(t *testing.T) {
		dir := t.TempDir()
		b := open(t, dir)
		if _, err := b.db.Exec("PRAGMA user_version = 99"); err != nil {
			t.Fatal(err)
		}
		b.Close()
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "newer version of millwright") {
			t.Errorf("Open = %v", err)
		}
	})
	t.Run("not a database", func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "accounts.sqlite")
		junk := strings.Repeat("this is no database ", 1000)
		if err := os.WriteFile(file, []byte(junk), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Error("opened")
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != junk {
			t.Error("the refused file was changed")
		}
	})
	t.Run("folder is a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(file); err == nil {
			t.Error("opened")
		}
	})
	t.Run("odd folder name", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a b?c%20#d")
		b := open(t, dir)
		if err := b.Add(t.Context(), "anna", Viewer, password); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "accounts.sqlite-wal")); err != nil {
			t.Errorf("the database is elsewhere: %v", err)
		}
	})
}

func TestCloseTwice(t *testing.T) {
	b := open(t, t.TempDir())
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	if _, err := b.Session(context.Background(), "x"); err == nil || errors.Is(err, sql.ErrNoRows) {
		t.Errorf("Session after Close = %v", err)
	}
}

// TestDefaultCost holds the price of a guess.
func TestDefaultCost(t *testing.T) {
	if DefaultCost.Memory < 19<<10 || DefaultCost.Time < 2 {
		t.Errorf("%+v is below the OWASP minimum", DefaultCost)
	}
	b := open(t, t.TempDir())
	b.Cost = DefaultCost
	h, err := b.hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(h, "$argon2id$v=19$m=65536,t=3,p=1$") {
		t.Errorf("hash %s", h)
	}
	if ok, err := b.verify(t.Context(), h, password); err != nil || !ok {
		t.Errorf("verify = %v, %v", ok, err)
	}
}

func TestRoles(t *testing.T) {
	all := Roles()
	for i, have := range all {
		for j, need := range all {
			if have.Covers(need) != (i >= j) {
				t.Errorf("%s covers %s: %v", have, need, have.Covers(need))
			}
		}
	}
	if Role("").Covers(Viewer) || Role("root").Covers(Viewer) || Admin.Covers("root") || Role("x").Covers("y") {
		t.Error("an unknown role covers something")
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(decoy(cheap))
	f.Add("$argon2id$v=19$m=0,t=0,p=0$$")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		c, salt, key, err := parsePHC(s)
		if err != nil {
			return
		}
		c2, salt2, key2, err := parsePHC(phc(c, salt, key))
		if err != nil || c2 != c || string(salt2) != string(salt) || string(key2) != string(key) {
			t.Errorf("%q does not survive: %v", s, err)
		}
	})
}

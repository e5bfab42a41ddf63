package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder?", "a#b.db")
	first := "CREATE TABLE a (x INTEGER) STRICT"
	db, err := Open(path, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO a VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want a file of mode 0600", info, err)
	}

	// A newer program adds a step, and keeps what is there.
	db, err = Open(path, first, "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 5")
	if err != nil {
		t.Fatal(err)
	}
	var x, y, sync, keys int
	if err := db.QueryRow("SELECT x, y FROM a").Scan(&x, &y); err != nil || x != 7 || y != 5 {
		t.Errorf("%d %d %v, want 7 5", x, y, err)
	}
	if err := db.QueryRow("PRAGMA synchronous").Scan(&sync); err != nil || sync != 2 {
		t.Errorf("synchronous %d %v, want 2 (FULL)", sync, err)
	}
	if err := db.QueryRow("PRAGMA foreign_keys").Scan(&keys); err != nil || keys != 1 {
		t.Errorf("foreign_keys %d %v, want 1", keys, err)
	}
	db.Close()

	if _, err := Open(path, first); !errors.Is(err, ErrNewer) {
		t.Errorf("an older program: %v, want ErrNewer", err)
	}
	// A step that fails leaves the file as it was.
	if _, err := Open(path, first, "SELECT 1", "CREATE TABLE b (z); NONSENSE"); err == nil {
		t.Error("a broken step was taken")
	}
	if db, err = Open(path, first, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("SELECT z FROM b"); err == nil {
		t.Error("half of a broken step was kept")
	}
	if _, err := Open(t.TempDir(), first); err == nil {
		t.Error("a folder was opened as a file")
	}
}

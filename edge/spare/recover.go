package spare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// recoverPatience is how long Recover waits for a running edge to take a queue in.
const recoverPatience = time.Minute

// Recover hands the queue on the disk of another box to the edge of this data
// folder: a copy is laid beside its queue, which the edge takes in while it runs, or
// at its next start. Its records go out as historical ones under the epochs and
// numbers that they had, so that the plant stores each once. The disk itself is only
// read. Damage on it costs what it hits, which is declared.
func Recover(ctx context.Context, from, data string, say func(string, ...any)) error {
	dir, newest, err := findQueue(from)
	if err != nil {
		return err
	}
	if own, err := filepath.Abs(filepath.Join(data, queueDir)); err == nil && own == dir {
		return fmt.Errorf("%s is this box's own queue: name the folder on the other disk", from)
	}
	say("copying %s", dir)
	staging := filepath.Join(data, "recovering")
	if err := errors.Join(os.RemoveAll(staging), os.MkdirAll(staging, 0o700)); err != nil {
		return err
	}
	n, size, err := copyFiles(ctx, dir, staging)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: nothing was handed over", err), os.RemoveAll(staging))
	}
	to := filepath.Join(data, fmt.Sprintf("%s.damaged-%d", queueDir, newest.Unix()))
	for _, err := os.Stat(to); err == nil; _, err = os.Stat(to) {
		to += "a"
	}
	if err := os.Rename(staging, to); err != nil {
		return err
	}
	if err := syncDir(data); err != nil {
		return err
	}
	say("%d files, %d kB, are handed over; the edge takes them in and sends what the plant has not", n, size>>10)
	for end := time.Now().Add(recoverPatience); time.Now().Before(end); {
		if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
			say("the edge has taken all of it in: the page Edges shows it catching up")
			return nil
		}
		if text, err := os.ReadFile(filepath.Join(to, "SALVAGED")); err == nil {
			say("the edge has taken in what could be read: %s", text)
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
	say("the edge has not taken it in yet: it does when it runs")
	return nil
}

// findQueue finds the folder of a queue: the one that is named, or queue in it. The
// time is that of its newest file.
func findQueue(from string) (dir string, newest time.Time, err error) {
	from, err = filepath.Abs(from)
	if err != nil {
		return "", newest, err
	}
	for _, dir := range []string{filepath.Join(from, queueDir), from} {
		manifests, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
		if err != nil || len(manifests) == 0 {
			continue
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			return "", newest, err
		}
		for _, f := range files {
			if info, err := f.Info(); err == nil && info.ModTime().After(newest) {
				newest = info.ModTime()
			}
		}
		return dir, newest, nil
	}
	return "", newest, fmt.Errorf("%s holds no queue of an edge: name the data folder of the dead box on its disk, such as /mnt/var/lib/millwright-edge", from)
}

// copyFiles copies the files of a folder, each on disk when it returns.
func copyFiles(ctx context.Context, from, to string) (n int, size int64, err error) {
	files, err := os.ReadDir(from)
	if err != nil {
		return 0, 0, err
	}
	for _, f := range files {
		if !f.Type().IsRegular() || f.Name() == "LOCK" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return n, size, err
		}
		in, err := os.Open(filepath.Join(from, f.Name()))
		if err != nil {
			return n, size, err
		}
		out, err := os.OpenFile(filepath.Join(to, f.Name()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return n, size, errors.Join(err, in.Close())
		}
		more, err := io.Copy(out, in)
		if err = errors.Join(err, out.Sync(), out.Close(), in.Close()); err != nil {
			return n, size, err
		}
		n, size = n+1, size+more
	}
	return n, size, syncDir(to)
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

package queue

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// wearFS counts what is written to the disk and how often it is synced: flash
// wears by both.
type wearFS struct {
	vfs.FS
	written atomic.Uint64
	syncs   atomic.Uint64
}

func (f *wearFS) Unwrap() vfs.FS { return f.FS }

func (f *wearFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.wrap(f.FS.Create(name, c))
}

func (f *wearFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.wrap(f.FS.OpenReadWrite(name, c, opts...))
}

func (f *wearFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.wrap(f.FS.ReuseForWrite(old, name, c))
}

func (f *wearFS) OpenDir(name string) (vfs.File, error) {
	return f.wrap(f.FS.OpenDir(name))
}

func (f *wearFS) wrap(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &wearFile{File: file, fs: f}, nil
}

type wearFile struct {
	vfs.File
	fs *wearFS
}

func (f *wearFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	f.fs.written.Add(uint64(n))
	return n, err
}

func (f *wearFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	f.fs.written.Add(uint64(n))
	return n, err
}

func (f *wearFile) Sync() error {
	f.fs.syncs.Add(1)
	return f.File.Sync()
}

func (f *wearFile) SyncData() error {
	f.fs.syncs.Add(1)
	return f.File.SyncData()
}

func (f *wearFile) SyncTo(n int64) (bool, error) {
	full, err := f.File.SyncTo(n)
	if full {
		f.fs.syncs.Add(1)
	}
	return full, err
}

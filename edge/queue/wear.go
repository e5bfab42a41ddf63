package queue

import (
	"errors"
	"io/fs"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// wearFS counts what is written to the disk and how often it is synced: flash
// wears by both. A sync that fails ends the process, and so does a file that cannot be
// made or written, unless the disk is full: what was to be there may be there or not, the next
// sync may say that all is well, and only what a fresh start reads is known. Pebble
// would end it too, but often with a panic that says less.
type wearFS struct {
	vfs.FS
	ended   func(file string, err error) // does not return
	written atomic.Uint64
	syncs   atomic.Uint64
}

func (f *wearFS) Unwrap() vfs.FS { return f.FS }

func (f *wearFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return f.wrap(name, file, err)
}

func (f *wearFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	return f.wrap(name, file, err)
}

func (f *wearFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(old, name, c)
	return f.wrap(name, file, err)
}

func (f *wearFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.wrap(name, file, err)
}

func (f *wearFS) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, f.failed(name, err)
	}
	return &wearFile{File: file, fs: f, name: name}, nil
}

type wearFile struct {
	vfs.File
	fs   *wearFS
	name string
}

// failed passes on what is no failure of the disk.
func (f *wearFS) failed(name string, err error) error {
	if !vfs.IsNoSpaceError(err) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		f.ended(name, err)
	}
	return err
}

func (f *wearFile) wrote(err error) error {
	if err != nil {
		return f.fs.failed(f.name, err)
	}
	return nil
}

func (f *wearFile) synced(err error) error {
	if err != nil {
		f.fs.ended(f.name, err)
	}
	return err
}

func (f *wearFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	f.fs.written.Add(uint64(n))
	return n, f.wrote(err)
}

func (f *wearFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	f.fs.written.Add(uint64(n))
	return n, f.wrote(err)
}

func (f *wearFile) Sync() error {
	f.fs.syncs.Add(1)
	return f.synced(f.File.Sync())
}

func (f *wearFile) SyncData() error {
	f.fs.syncs.Add(1)
	return f.synced(f.File.SyncData())
}

func (f *wearFile) SyncTo(n int64) (bool, error) {
	full, err := f.File.SyncTo(n)
	if full {
		f.fs.syncs.Add(1)
	}
	return full, f.synced(err)
}

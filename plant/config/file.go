package config

import (
	"fmt"
	"io"
	"os"
)

// mostBytes of one file: some hundred thousand tags. What is larger was meant to be
// something else, and a device has no end.
const mostBytes = 64 << 20

// ReadFile reads a file of a configuration, of at most 64 MiB.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bounded(f)
}

// bounded reads all, up to the size that a file of a configuration may have.
func bounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	if err == nil && len(b) > mostBytes {
		return nil, fmt.Errorf("is larger than %d MiB: it is no file of a configuration", mostBytes>>20)
	}
	return b, err
}

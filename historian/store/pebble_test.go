package store_test

import (
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/historian/store/storetest"
)

func open(t testing.TB, cfg store.Config) *store.Pebble {
	t.Helper()
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The suite runs as the store is, and with limits so small that heads are cut
// and batches dropped all the time.
func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) store.Store { return open(t, store.Config{Dir: dir}) })
}

func TestSuiteSmall(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) store.Store {
		return open(t, store.Config{Dir: dir, Uncut: 2 << 10, Age: time.Millisecond})
	})
}

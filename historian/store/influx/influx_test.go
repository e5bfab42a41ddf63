package influx_test

import (
	"fmt"
	"hash/fnv"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"millwright/historian/store"
	"millwright/historian/store/influx"
	"millwright/historian/store/influx/influxtest"
	"millwright/historian/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store with its database named after the folder.
func open(t testing.TB, url, dir string, change func(*influx.Config)) *influx.Store {
	t.Helper()
	s, err := influx.Open(config(t, url, dir, change))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(t testing.TB, url, dir string, change func(*influx.Config)) influx.Config {
	cfg := influx.Config{URL: url, Database: database(dir) + "/autogen", Dir: dir, Log: quiet(t)}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

func database(dir string) string {
	h := fnv.New64a()
	h.Write([]byte(dir))
	return fmt.Sprintf("plant_%x", h.Sum64())
}

func quiet(t testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return slog.New(slog.DiscardHandler)
}

func TestSuite(t *testing.T) {
	s := influxtest.Start(t, influxtest.Options{})
	storetest.Run(t, func(t *testing.T, dir string) store.Store { return open(t, s.URL, dir, nil) })
}

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

// TestServer is all that one server is enough for; it takes seconds to start.
func TestServer(t *testing.T) {
	t.Parallel()
	s := influxtest.Start(t, influxtest.Options{})
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T, dir string) store.Store { return open(t, s.URL, dir, nil) })
	})
	f := func(name string, test func(*testing.T, *influxtest.Server)) {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
	f("schema", testSchema)
	f("foreign", testForeign)
	f("poison", testPoison)
	f("fault of the set-up", testSetUpFault)
	f("forgets", testForgets)
	f("newer", testNewer)
	f("refused at open", testOpenRefused)
	f("hangs", testHangs)
	f("canceled", testCanceled)
	f("v2", testV2)
	f("tls", testTLS)
	f("large", testLarge)
	f("kill", testKill)
	f("line", testLine)
}

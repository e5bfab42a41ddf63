package collector

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	AllowBursts()
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	if what := os.Getenv(processEnv); what != "" {
		process(what)
		return
	}
	// These tests wait most of the time, for other processes.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("6")
	}
	goleak.VerifyTestMain(m)
}

package collector

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoWayToWrite: a program that links the collector, with all its symbols,
// holds no client of the library: no method that writes, calls or edits nodes,
// and none else. The full binary proves less, because its command-line library
// uses reflection, which keeps methods that nobody calls.
func TestNoWayToWrite(t *testing.T) {
	t.Parallel()
	if n := clientMethods(t, "reader"); len(n) > 0 {
		t.Errorf("the collector links the library's client: %v", n)
	}
	found := strings.Join(clientMethods(t, "writer"), " ")
	if !strings.Contains(found, "(*Client).Write") {
		t.Errorf("the test does not see the client of a program that writes: %s", found)
	}
}

// clientMethods builds a program of testdata and lists what of the package
// opcua itself, which holds the client, it contains.
func clientMethods(t *testing.T, program string) []string {
	t.Helper()
	out := filepath.Join(t.TempDir(), program)
	build := exec.Command("go", "build", "-trimpath", "-o", out, "./testdata/"+program) // as the program is built
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	f, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	own := 0
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "github.com/gopcua/opcua.") {
			found = append(found, strings.TrimPrefix(s.Name, "github.com/gopcua/opcua."))
		}
		if strings.HasPrefix(s.Name, "github.com/gopcua/opcua/uasc.") {
			own++
		}
	}
	if own == 0 {
		t.Fatal("no symbols: the program is stripped, or does not use the library")
	}
	return found
}

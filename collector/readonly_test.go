package collector

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadOnly keeps the package a reader by construction.
func TestReadOnly(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source found")
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findWrites(t, name, src) {
			t.Errorf("%s: the collector only reads: a program that watches a PLC must not be a way to change it. "+
				"Values, methods and nodes of a server are not written from here, whatever the configuration says", f)
		}
	}
	bad := `package x
import ( "github.com/gopcua/opcua"; "github.com/gopcua/opcua/ua" )
var _ = &ua.WriteRequest{}
func f(c *opcua.Client) { var r ua.CallRequest; _ = r; _ = new(ua.HistoryUpdateRequest) }`
	if n := len(findWrites(t, "bad.go", []byte(bad))); n != 4 {
		t.Errorf("the check finds %d of 4 faults", n)
	}
}

// findWrites lists what could change a server: request types that write, and
// the client of the library, which has methods for them.
func findWrites(t *testing.T, name string, src []byte) []string {
	t.Helper()
	forbidden := []string{"Write", "Call", "AddNodes", "AddReferences", "DeleteNodes", "DeleteReferences", "HistoryUpdate"}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, i := range f.Imports {
		switch path := strings.Trim(i.Path.Value, `"`); {
		case path == "github.com/gopcua/opcua", path == "reflect", path == "unsafe":
			found = append(found, set.Position(i.Pos()).String()+": import of "+path)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		for _, w := range forbidden {
			if strings.HasPrefix(s.Sel.Name, w) && (strings.HasSuffix(s.Sel.Name, "Request") || strings.Contains(s.Sel.Name, "Request_")) {
				found = append(found, set.Position(s.Pos()).String()+": "+s.Sel.Name)
			}
		}
		return true
	})
	return found
}

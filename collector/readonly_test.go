package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The collector only reads: a program that watches a PLC must not be a way to
// change it. Values, methods and nodes of a server are not written from here,
// whatever a configuration says.

// mayAsk are the requests that the package may hold. None of them changes
// anything but what the server keeps for our own session.
var mayAsk = []string{
	"ActivateSessionRequest", "BrowseNextRequest", "BrowseRequest", "CloseSessionRequest", "CreateMonitoredItemsRequest",
	"CreateSessionRequest", "CreateSubscriptionRequest", "DeleteMonitoredItemsRequest", "DeleteSubscriptionsRequest",
	"GetEndpointsRequest", "HistoryReadRequest", "ModifyMonitoredItemsRequest", "ModifySubscriptionRequest",
	"MonitoredItemCreateRequest", "MonitoredItemModifyRequest", "PublishRequest", "ReadRequest", "RepublishRequest",
	"SetMonitoringModeRequest", "SetPublishingModeRequest", "TransferSubscriptionsRequest", "TranslateBrowsePathsToNodeIDsRequest",
}

// mayCall are the requests of the one call there may be: see onlyRefresh.
var mayCall = []string{"CallRequest", "CallMethodRequest"}

// mayTell is the one function of the kernel that may be used: it tells how the
// clock of the box is kept.
const mayTell = "golang.org/x/sys/unix.Adjtimex"

// doors are methods through which bytes or requests leave for a server, and the
// one function that may use each; "" is none.
var doors = map[string]string{
	"(*github.com/gopcua/opcua/uasc.SecureChannel).SendRequest":             "",
	"(*github.com/gopcua/opcua/uasc.SecureChannel).SendRequestWithTimeout":  "send",
	"(*github.com/gopcua/opcua/uasc.SecureChannel).SendResponseWithContext": "",
	"(*github.com/gopcua/opcua/uasc.SecureChannel).SendMsgWithContext":      "",
	"(*github.com/gopcua/opcua/uacp.Conn).Send":                             "",
	"(*net.TCPConn).ReadFrom":                                               "",
	"(*net.conn).Write":                                                     "",     // promoted by *net.TCPConn
	"(net.Conn).Write":                                                      "hail", // to see who answers
	"(io.Writer).Write":                                                     "",
	"github.com/gopcua/opcua/ua.DecodeService":                              "", // makes any request out of bytes
	"github.com/gopcua/opcua/ua.RegisterService":                            "", // makes a request of any type
}

// never are packages that get round all this.
var never = []string{"github.com/gopcua/opcua", "reflect", "unsafe", "plugin", "net/http"}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	src := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_other.go") { // of other systems: no box runs it
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		src[name] = string(b)
	}
	if len(src) < 10 {
		t.Fatalf("%d files", len(src))
	}
	for _, f := range c.faults(t, src) {
		t.Error(f)
	}
}

// TestReadOnlyCheck: the check above finds what it is there for.
func TestReadOnlyCheck(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	const head = `package x
import ( "context"; "github.com/gopcua/opcua/id"; "github.com/gopcua/opcua/ua"; "github.com/gopcua/opcua/uacp"; "github.com/gopcua/opcua/uasc" )
var ( _ context.Context; _ = id.Server; _ ua.Request; _ uacp.Conn; _ uasc.Config )
`
	const method = "ua.NewNumericNodeID(0, id.ConditionType_ConditionRefresh)"
	good := map[string]string{
		"clean":   head + `func send(ctx context.Context, c *uasc.SecureChannel) { _ = c.SendRequestWithTimeout(ctx, &ua.ReadRequest{}, nil, 0, nil) }`,
		"refresh": head + refresh("sub uint32", method),
	}
	bad := map[string]string{
		"literal":           head + `var _ ua.Request = &ua.WriteRequest{}`,
		"new":               head + `var _ ua.Request = new(ua.HistoryUpdateRequest)`,
		"variable":          head + `func f() { var r ua.AddNodesRequest; _ = r.NodesToAdd }`,
		"own type":          head + `type mine ua.DeleteNodesRequest`,
		"alias":             head + `type mine = ua.SetTriggeringRequest`,
		"type argument":     head + `func zero[T any]() (t T) { return }; func f() { x := zero[*ua.WriteRequest](); _ = x }`,
		"out of bytes":      head + `func f(b []byte) { _, r, _ := ua.DecodeService(b); _ = r }`,
		"by hand":           head + `func f(c *uacp.Conn, b []byte) { _, _ = c.Write(b) }`,
		"beside send":       head + `func other(ctx context.Context, c *uasc.SecureChannel) { _ = c.SendRequestWithTimeout(ctx, &ua.ReadRequest{}, nil, 0, nil) }`,
		"as a value":        head + `func f(c *uasc.SecureChannel) any { return c.SendRequest }`,
		"raw":               `package x; import "syscall"; var _ = syscall.Write`,
		"by the kernel":     `package x; import "golang.org/x/sys/unix"; var _ = unix.Write`,
		"by the way":        `package x; import "net"; func f(c net.Conn) { _, _ = c.Write(nil) }`,
		"client":            `package x; import _ "github.com/gopcua/opcua"`,
		"reflection":        `package x; import "reflect"; var _ = reflect.TypeOf(1)`,
		"two refreshes":     head + refresh("sub uint32", method) + "\n" + strings.Replace(refresh("sub uint32", method), "conditionRefresh", "again", 1),
		"another method":    head + refresh("sub uint32", "ua.NewNumericNodeID(0, id.AcknowledgeableConditionType_Acknowledge)"),
		"method handed in":  head + refresh("m *ua.NodeID", "m"),
		"method set later":  head + refresh("sub uint32", method) + "\nfunc g(r *ua.CallMethodRequest) {}",
		"method overridden": head + strings.Replace(refresh("sub uint32", method), "return r", "r.MethodsToCall[0].MethodID = nil; return r", 1),
	}
	for name, src := range good {
		if got := c.faults(t, map[string]string{"x.go": src}); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, src := range bad {
		if got := c.faults(t, map[string]string{"x.go": src}); len(got) == 0 {
			t.Errorf("%s: no fault found", name)
		}
	}
}

func refresh(param, method string) string {
	return `func conditionRefresh(` + param + `) *ua.CallRequest {
	r := &ua.CallRequest{MethodsToCall: []*ua.CallMethodRequest{{ObjectID: ua.NewNumericNodeID(0, id.ConditionType), MethodID: ` + method + `}}}
	return r
}`
}

// checker knows the types of what the package imports.
type checker struct {
	set     *token.FileSet
	exports types.Importer
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	cmd := exec.Command("go", "list", "-trimpath", "-export", "-deps", "-json=ImportPath,Export", ".", "github.com/gopcua/opcua")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as the program is built
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	set := token.NewFileSet()
	return &checker{set, importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })}
}

// faults lists what of the rules above the sources of a package break.
func (c *checker) faults(t *testing.T, src map[string]string) []string {
	t.Helper()
	var files []*ast.File
	for name, text := range src {
		f, err := parser.ParseFile(c.set, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	if _, err := (&types.Config{Importer: c.exports}).Check("x", c.set, files, info); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{} // one for each function and name
	callers := map[string]bool{}
	for _, f := range files {
		for _, i := range f.Imports {
			if path := strings.Trim(i.Path.Value, `"`); slices.Contains(never, path) {
				found[f.Name.Name+": import of "+path] = true
			}
		}
		for _, d := range f.Decls {
			where, fn := c.set.Position(d.Pos()).Filename+": ", (*ast.FuncDecl)(nil)
			if x, ok := d.(*ast.FuncDecl); ok {
				fn = x
				where += x.Name.Name + ": "
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					if o, ok := info.Uses[id].(*types.Func); ok {
						if p := o.Pkg(); p != nil && (p.Path() == "syscall" || p.Path() == "golang.org/x/sys/unix") && o.FullName() != mayTell {
							found[where+o.FullName()] = true // their constants are welcome
						}
						if who, door := doors[o.FullName()]; door && (fn == nil || fn.Name.Name != who || who == "") {
							found[where+o.FullName()] = true
						}
					}
				}
				e, ok := n.(ast.Expr)
				if !ok {
					return true
				}
				name := requestOf(typeOf(info, e))
				switch {
				case name == "" || slices.Contains(mayAsk, name):
				case slices.Contains(mayCall, name):
					callers[where] = true
				default:
					found[where+name] = true
				}
				return true
			})
			if fn != nil && callers[where] {
				for _, f := range c.onlyRefresh(info, fn) {
					found[where+f] = true
				}
			}
		}
	}
	if len(callers) > 1 {
		found[fmt.Sprintf("calls in %d places, one is allowed", len(callers))] = true
	}
	var all []string
	for f := range found {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

func typeOf(info *types.Info, e ast.Expr) types.Type {
	if id, ok := e.(*ast.Ident); ok {
		if o := either(info.Uses[id], info.Defs[id]); o != nil {
			return o.Type()
		}
	}
	return info.Types[e].Type
}

func either(a, b types.Object) types.Object {
	if a != nil {
		return a
	}
	return b
}

// requestOf is the name of the OPC UA request that a type is, or points to, or
// is a list of; "" for others.
func requestOf(t types.Type) string {
	for {
		switch x := types.Unalias(t).(type) {
		case *types.Pointer:
			t = x.Elem()
			continue
		case *types.Slice:
			t = x.Elem()
			continue
		case *types.Named:
			if p := x.Obj().Pkg(); p != nil && p.Path() == "github.com/gopcua/opcua/ua" && strings.HasSuffix(x.Obj().Name(), "Request") && x.Obj().Name() != "Request" {
				return x.Obj().Name()
			}
		}
		return ""
	}
}

// onlyRefresh says why fn could call anything but ConditionRefresh, the Call that
// only asks for events again (OPC 10000-9, 5.5.7): the ids stand in it as
// constants, once, and nobody hands in another one.
func (c *checker) onlyRefresh(info *types.Info, fn *ast.FuncDecl) []string {
	var faults []string
	for _, p := range fn.Type.Params.List {
		if strings.HasSuffix(info.Types[p.Type].Type.String(), "ua.NodeID") || requestOf(info.Types[p.Type].Type) != "" {
			faults = append(faults, "takes a node id")
		}
	}
	want := map[string]string{"ObjectID": "ua.NewNumericNodeID(0, id.ConditionType)", "MethodID": "ua.NewNumericNodeID(0, id.ConditionType_ConditionRefresh)"}
	seen := map[string]int{}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := x.Key.(*ast.Ident); ok && want[key.Name] != "" {
				var b strings.Builder
				_ = printer.Fprint(&b, c.set, x.Value)
				if seen[key.Name]++; b.String() != want[key.Name] {
					faults = append(faults, key.Name+" is "+b.String())
				}
			}
		case *ast.SelectorExpr:
			if want[x.Sel.Name] != "" {
				faults = append(faults, "sets "+x.Sel.Name)
			}
		}
		return true
	})
	if seen["ObjectID"] != 1 || seen["MethodID"] != 1 {
		faults = append(faults, fmt.Sprintf("names %d objects and %d methods, one of each is allowed", seen["ObjectID"], seen["MethodID"]))
	}
	return faults
}

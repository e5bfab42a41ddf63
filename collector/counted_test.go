package collector

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"
)

// TestServersNoteChanges: the servers of the tests note what a
// client could change them by, so that finding no note says something. A client
// of the library stands for a reader gone wrong.
func TestServersNoteChanges(t *testing.T) {
	long(t)
	t.Parallel()
	for name, srv := range map[string]*foreign{
		"node-opcua": newNodeServer(t, map[string]any{"nodes": 1}),
		"asyncua":    newAsyncua(t, map[string]any{"nodes": 1}),
		"ours":       newMillServer(t, map[string]any{"nodes": 1}),
	} {
		c, err := opcua.NewClient(srv.url(), opcua.SecurityMode(ua.MessageSecurityModeNone), opcua.AutoReconnect(false))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := c.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		refresh := &ua.CallMethodRequest{ObjectID: ua.NewNumericNodeID(0, 2782), MethodID: ua.NewNumericNodeID(0, 3875)}
		_, _ = c.Call(ctx, refresh) // refused or not: it was sent
		if b, err := os.ReadFile(filepath.Join(srv.dir, "changing")); err == nil {
			t.Errorf("%s: a ConditionRefresh counts as a change: %s", name, b)
		}
		_, _ = c.Write(ctx, &ua.WriteRequest{NodesToWrite: []*ua.WriteValue{{NodeID: ua.NewStringNodeID(9, "x"),
			AttributeID: ua.AttributeIDValue, Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(1.0)}}}})
		_, _ = c.Call(ctx, &ua.CallMethodRequest{ObjectID: ua.NewNumericNodeID(0, 2253), MethodID: ua.NewNumericNodeID(0, 11492)})
		_ = c.Close(ctx)
		var b []byte
		eventually(t, patience, name+" notes it", func() bool {
			b, err = os.ReadFile(filepath.Join(srv.dir, "changing"))
			return err == nil
		})
		if !strings.Contains(string(b), "Write") && !strings.Contains(string(b), "Call") {
			t.Errorf("%s: noted %q, %v", name, b, err)
		}
		_ = os.Remove(filepath.Join(srv.dir, "changing")) // or the harness complains
	}
}

//go:build race

package detect

import "testing"

// long leaves out a test of one goroutine: it is run without the race detector.
func long(t *testing.T) {
	t.Helper()
	t.Skip("takes long with the race detector and has one goroutine")
}

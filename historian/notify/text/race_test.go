//go:build race

package text

import "testing"

// long leaves out a test of one goroutine: it is run without the race detector.
func long(t *testing.T) {
	t.Helper()
	t.Skip("takes half a minute with the race detector and has one goroutine")
}

//go:build !race

package detect

import "testing"

// long marks a test of one goroutine that the race detector makes too slow.
func long(*testing.T) {}

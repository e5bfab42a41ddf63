//go:build !race

package production

import "testing"

// long marks a test of one goroutine that the race detector makes too slow.
func long(*testing.T) {}

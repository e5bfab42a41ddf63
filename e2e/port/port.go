// Package port finds ports for the servers that tests start.
package port

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Below what Linux hands out by itself (32768 to 60999): a port from there that
// is closed again may be anybody's a moment later, and tests run side by side.
const low, high = 20_000, 32_000

// T is what ends a test: testing.TB, or a script's state.
type T interface {
	Fatalf(format string, a ...any)
}

// Free is a port of 127.0.0.1 that nobody listens on.
func Free(t T) int {
	for range 100 {
		n := low + rand.IntN(high-low)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n)); err == nil {
			_ = l.Close()
			return n
		}
	}
	t.Fatalf("no free port between %d and %d", low, high)
	return 0
}

// Address is a free port with its host.
func Address(t T) string { return fmt.Sprintf("127.0.0.1:%d", Free(t)) }

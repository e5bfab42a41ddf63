// Package port finds ports for the servers that tests start.
package port

import (
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// Below what Linux hands out by itself (32768 to 60999): a port from there that
// is closed again may be anybody's a moment later, and tests run side by side.
// Above the ports lie as many keys to them.
const low, count = 20_000, 6_000

// T is what ends a test: testing.TB, or a script's state.
type T interface {
	Fatalf(format string, a ...any)
}

// Free is a port of 127.0.0.1 that nobody listens on. It is this process's until it
// ends, so that a server can go and come back: nobody else is given it.
func Free(t T) int {
	for range 100 {
		if n := low + rand.IntN(count); take(n) {
			return n
		}
	}
	t.Fatalf("no free port between %d and %d", low, low+count)
	return 0
}

// take reserves a port for this process. Who binds its key has it: the system lets one
// process do that, and gives the key back when that process ends, however it does.
func take(n int) bool {
	key, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	if syscall.Bind(key, &syscall.SockaddrInet4{Port: n + count, Addr: [4]byte{127, 0, 0, 1}}) != nil {
		_ = syscall.Close(key)
		return false
	}
	// Somebody who knows nothing of keys may listen there.
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n))
	if err != nil {
		_ = syscall.Close(key)
		return false
	}
	_ = l.Close()
	return true
}

// Address is a free port with its host.
func Address(t T) string { return fmt.Sprintf("127.0.0.1:%d", Free(t)) }

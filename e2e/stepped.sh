#!/bin/sh
# Builds the program with a clock that can be stepped, for fault R18:
#
#	e2e/stepped.sh OUTPUT
#
# Nothing else can step the clock of one Go process: the runtime asks the kernel
# without the C library. So the standard library's time.Now is overlaid (go build
# -overlay) by one that adds the seconds that the file MILLWRIGHT_STEP holds, looked at
# ten times a second. The monotonic clock, and with it every timer, goes on as it does
# when a real clock is set.
set -eu
out=$1
root=$(go env GOROOT)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed 's/^	sec, nsec, mono := runtimeNow()$/&\n	sec += stepped(mono)/' "$root/src/time/time.go" >"$dir/time.go"
grep -q 'stepped(mono)' "$dir/time.go"
cat >"$dir/step.go" <<'GO'
package time

import (
	"sync/atomic"
	"syscall"
)

var step struct{ looked, seconds atomic.Int64 }

// stepped is how many seconds the wall clock is off.
func stepped(mono int64) int64 {
	last := step.looked.Load()
	if mono-last < 100e6 && last != 0 || !step.looked.CompareAndSwap(last, mono) {
		return step.seconds.Load()
	}
	name, ok := syscall.Getenv("MILLWRIGHT_STEP")
	if !ok {
		return 0
	}
	fd, err := open(name)
	if err != nil {
		return step.seconds.Load()
	}
	defer closefd(fd)
	var buf [32]byte
	n, _ := read(fd, buf[:])
	sign, v, digits := int64(1), int64(0), 0
	for _, c := range buf[:max(n, 0)] {
		if c == '-' {
			sign = -1
		} else if c >= '0' && c <= '9' {
			v, digits = v*10+int64(c-'0'), digits+1
		}
	}
	if digits > 0 {
		step.seconds.Store(sign * v)
	}
	return step.seconds.Load()
}
GO
printf '{"Replace": {"%s/src/time/time.go": "%s/time.go", "%s/src/time/step.go": "%s/step.go"}}' "$root" "$dir" "$root" "$dir" >"$dir/overlay.json"
CGO_ENABLED=0 go build -trimpath -overlay "$dir/overlay.json" -o "$out" .

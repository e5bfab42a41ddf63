#!/bin/sh
# Builds the program with a clock that can be stepped, for fault R18:
#
#	e2e/stepped.sh OUTPUT
#
# Nothing else can step the clock of one Go process: the runtime asks the kernel
# without the C library. So the standard library's time.Now is overlaid (go build
# -overlay) by one that adds the seconds that the file MILLWRIGHT_STEP holds, eight
# bytes in the order of the machine. The monotonic clock, and with it every timer, goes on as it does
# when a real clock is set.
set -eu
out=$1
root=$(go env GOROOT)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed 's/^	sec, nsec, mono := runtimeNow()$/&\n	sec += stepped()/' "$root/src/time/time.go" >"$dir/time.go"
grep -q 'stepped()' "$dir/time.go"
cat >"$dir/step.go" <<'GO'
package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// seconds is how many seconds the wall clock is off, in a file that is mapped into
// memory: timers read the clock where no system call may be made.
var seconds = mapped()

func mapped() *int64 {
	name, ok := syscall.Getenv("MILLWRIGHT_STEP")
	if !ok {
		return new(int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic("MILLWRIGHT_STEP: " + err.Error())
	}
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("MILLWRIGHT_STEP: " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&b[0]))
}

func stepped() int64 { return atomic.LoadInt64(seconds) }
GO
printf '{"Replace": {"%s/src/time/time.go": "%s/time.go", "%s/src/time/step.go": "%s/step.go"}}' "$root" "$dir" "$root" "$dir" >"$dir/overlay.json"
CGO_ENABLED=0 go build -trimpath -overlay "$dir/overlay.json" -o "$out" .

package collector

import (
	"os"

	"golang.org/x/sys/unix"
)

const rtcFolder = "/sys/class/rtc"

// boxTime asks the kernel. Where it does not say, the clock is believed: a
// warning that nobody can end would hide those that count.
func boxTime() (battery, synchronised bool) {
	clocks, err := os.ReadDir(rtcFolder)
	battery = len(clocks) > 0 || err != nil && !os.IsNotExist(err)
	var t unix.Timex // of zeros: only read
	_, err = unix.Adjtimex(&t)
	return battery, err != nil || t.Status&unix.STA_UNSYNC == 0
}

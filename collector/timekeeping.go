package collector

// timekeeping asks the box how it keeps the time: by a clock that runs on while
// the box is off, and whether a time source (NTP, PTP, GPS) has set the clock by
// which it goes now.
type timekeeping func() (battery, synchronised bool)

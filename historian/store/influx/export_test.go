package influx

import "time"

// HoldFaults sets for how long requests that are refused as a whole are held.
func (s *Store) HoldFaults(d time.Duration) { s.faults.hold = d }

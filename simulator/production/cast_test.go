package production

import (
	"math"
	"testing"
)

// A month of casting: sequences of four to twelve heats, at the speeds and with
// the pauses of the caster, tonnes that add up.
func TestCast(t *testing.T) {
	c := NewCast(3)
	heats := map[string]int{}
	last, turnaround := "", 0.0
	var tonnes, seconds, slowest float64
	for range 30 * 24 * 3600 {
		before, speed := c.Mode, c.Speed
		c.Step(1)
		if c.Mode == Casting && c.Heat != last {
			last = c.Heat
			heats[c.Sequence]++
		}
		if c.Mould {
			tonnes += c.Rate() / 60 * Strands
		}
		if c.Mode == Casting || c.Mode == LadleChange {
			seconds++
		}
		if before == LadleChange && c.Mode == Casting {
			slowest = speed / c.target
			if math.Abs(slowest-0.9) > 0.001 {
				t.Fatalf("the ladle was changed at %v of the speed", slowest)
			}
		}
		if c.Mode == Turnaround {
			turnaround++
		} else if turnaround > 0 {
			if turnaround < 3600 || turnaround > 5401 {
				t.Errorf("a turnaround of %v s", turnaround)
			}
			turnaround = 0
		}
		if c.Speed < 0 || c.Speed > 1.2 || c.Length < 0 || c.Length > CasterLength {
			t.Fatalf("%v m/min, %v m in %s", c.Speed, c.Length, c.Mode)
		}
	}
	if len(heats) < 30 {
		t.Errorf("%d sequences in a month", len(heats))
	}
	all := 0
	for sequence, n := range heats {
		all += n
		if n > 12 || n < 4 && sequence != c.Sequence {
			t.Errorf("sequence %s had %d heats", sequence, n)
		}
	}
	if mean := tonnes / float64(all); math.Abs(mean-HeatTons) > 0.05*HeatTons {
		t.Errorf("%.1f t a heat", mean)
	}
	if slowest == 0 || seconds < 0.5*30*86400 {
		t.Errorf("casting for %.0f h", seconds/3600)
	}
}

// Every heat that is cast was blown before, once, for as long as a blow takes.
func TestCastIsBlown(t *testing.T) {
	c := NewCast(3)
	heat, blown, heats := c.Heat, 0.0, 0
	for i := range 14 * 24 * 3600 {
		c.Step(1)
		if c.Blowing() {
			blown++
		}
		if c.Heat == heat {
			continue
		}
		// The heat that stood in the ladle at the start has no past.
		if heats++; heats > 1 && !(blown > 14*60 && blown < 21*60) {
			t.Fatalf("%s at %d s was blown for %.1f min", c.Heat, i, blown/60)
		}
		if c.Blowing() {
			t.Errorf("%s is blown while it is tapped", c.Heat)
		}
		heat, blown = c.Heat, 0
	}
	if heats < 200 {
		t.Errorf("%d heats in a fortnight", heats)
	}
}

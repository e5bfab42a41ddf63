package chunk

import (
	"encoding/binary"
	"slices"
)

// How the times between First and Last are written. All count in a unit that
// divides every step, so a sampling interval kept exactly costs nothing.
const (
	timesEven   = 0 // first + i × interval
	timesLinear = 1 // the same plus a packed deviation
	timesSteps  = 2 // packed steps from one time to the next
)

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// appendTimes writes everything but the first time; the times ascend.
func (e *Encoder) appendTimes(dst []byte, times []int64) []byte {
	n := len(times)
	if n == 1 {
		return dst
	}
	var unit uint64
	for i := 1; i < n; i++ {
		step := uint64(times[i]) - uint64(times[i-1])
		if unit == 0 || step%unit != 0 {
			unit = gcd(step, unit)
		}
	}
	steps := slices.Grow(e.a[:0], n)[:n]
	e.a = steps
	steps[0] = 0
	for i := 1; i < n; i++ {
		steps[i] = int64((uint64(times[i]) - uint64(times[i-1])) / unit)
	}
	dev := slices.Grow(e.b[:0], n)[:n]
	e.b = dev

	whole := int64((uint64(times[n-1]) - uint64(times[0])) / unit)
	interval := (whole + int64(n-1)/2) / int64(n-1)
	even := fillDeviations(dev, steps, interval)
	size := packedSize(dev)
	if !even {
		// The mean interval suits jitter, the usual one suits lost samples.
		if m := usualStep(steps); m != interval {
			fillDeviations(dev, steps, m)
			if other := packedSize(dev); other < size {
				size, interval = other, m
			} else {
				fillDeviations(dev, steps, interval)
			}
		}
	}

	mode := byte(timesLinear)
	steps[0] = steps[1] // keeps the first block narrow; the reader drops it
	if even {
		mode = timesEven
	} else if packedSize(steps) < size {
		mode = timesSteps
	}
	dst = append(dst, mode)
	dst = binary.AppendUvarint(dst, unit)
	switch mode {
	case timesEven:
		return binary.AppendUvarint(dst, uint64(interval))
	case timesLinear:
		dst = binary.AppendUvarint(dst, uint64(interval))
		return appendPacked(dst, dev)
	default:
		return appendPacked(dst, steps)
	}
}

// fillDeviations reports whether all of them are zero.
func fillDeviations(dev, steps []int64, interval int64) bool {
	var at, any int64
	dev[0] = 0
	for i := 1; i < len(steps); i++ {
		at += steps[i] - interval
		any |= at
		dev[i] = at
	}
	return any == 0
}

// usualStep is the median of a few steps.
func usualStep(steps []int64) int64 {
	var few [15]int64
	n := len(steps) - 1
	m := min(len(few), n)
	for i := range m {
		few[i] = steps[1+i*n/m]
	}
	slices.Sort(few[:m])
	return few[m/2]
}

// times fills dst from the column; the caller checks that they ascend.
func (r *reader) times(dst []int64, first int64) {
	dst[0] = first
	if len(dst) == 1 {
		return
	}
	mode := r.byte()
	unit := int64(r.uvarint())
	switch mode {
	case timesEven:
		step := int64(r.uvarint()) * unit
		for i := range dst {
			dst[i] = first + int64(i)*step
		}
	case timesLinear:
		step := int64(r.uvarint()) * unit
		r.unpack(dst)
		for i, dev := range dst {
			dst[i] = first + int64(i)*step + dev*unit
		}
	case timesSteps:
		r.unpack(dst)
		t := first
		dst[0] = first
		for i := 1; i < len(dst); i++ {
			t += dst[i] * unit
			dst[i] = t
		}
	default:
		r.fail()
	}
}

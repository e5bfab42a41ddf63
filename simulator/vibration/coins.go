package vibration

import "math/bits"

// coins are Gaussian noise of variance 1: the heads among 64 coins, and a share
// of one more so that all values are possible. The excess kurtosis is -0.03. It
// needs no table and no branch, and is the same on all processors.
type coins struct{ state uint64 }

const (
	fairHeads  = 32.5                // of 64 coins and the share
	perSigma   = 0.24935149047701487 // 1/√(16 + 1/12)
	bits16     = 1<<16 - 1
	fair16     = 32767.5                // mean of 16 bits
	perSigma16 = 5.2858480343790255e-05 // √12/65,536
)

// heads are a Gaussian number of 64 coins and, as the share, 16 bits.
func heads(coins, share uint64) float64 {
	return (float64(bits.OnesCount64(coins)) + float64(share&bits16)*(1.0/65_536) - fairHeads) * perSigma
}

// flat is a number of variance 1 whose values are all equally likely. A resonance
// that it rings makes it Gaussian.
func flat(share uint64) float64 { return (float64(share&bits16) - fair16) * perSigma16 }

// next is a generator of the wyrand family: a counter, and the folded product of
// it with itself under a mask.
func (c *coins) next() uint64 {
	c.state += 0xa0761d6478bd642f
	hi, lo := bits.Mul64(c.state, c.state^0xe7037ed1a0b428db)
	return hi ^ lo
}

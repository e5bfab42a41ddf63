package vibration

import "math/bits"

// coins are Gaussian noise of variance 1: the heads among 64 coins, and a share
// of one more so that all values are possible. The excess kurtosis is -0.03. It
// needs no table and no branch, and is the same on all processors.
type coins struct{ state uint64 }

const (
	fairHeads = 32.5                // of 64 coins and the share
	perSigma  = 0.24935149047701487 // 1/√(16 + 1/12)
	share     = 1.0 / (1 << 21)     // of 21 bits
)

// three are independent of each other.
func (c *coins) three() (x, y, z float64) {
	a, b, d, e := c.next(), c.next(), c.next(), c.next()
	const mask = 1<<21 - 1
	x = (float64(bits.OnesCount64(a)) + float64(e&mask)*share - fairHeads) * perSigma
	y = (float64(bits.OnesCount64(b)) + float64(e>>21&mask)*share - fairHeads) * perSigma
	z = (float64(bits.OnesCount64(d)) + float64(e>>42&mask)*share - fairHeads) * perSigma
	return x, y, z
}

// next is a generator of the wyrand family: a counter, and the folded product of
// it with itself under a mask.
func (c *coins) next() uint64 {
	c.state += 0xa0761d6478bd642f
	hi, lo := bits.Mul64(c.state, c.state^0xe7037ed1a0b428db)
	return hi ^ lo
}

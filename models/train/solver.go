package train

import "gorgonia.org/gorgonia"

// l2 draws the weights to zero. Most of what sensors say is noise that no network
// rebuilds; weights that try anyway only add the rounding of large sums.
const l2 = 1e-3

// solver is Adam.
func solver(rate float64) gorgonia.Solver {
	return gorgonia.NewAdamSolver(gorgonia.WithLearnRate(rate), gorgonia.WithL2Reg(l2))
}

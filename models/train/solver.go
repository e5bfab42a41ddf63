package train

import "gorgonia.org/gorgonia"

// solver is Adam with a bound on the step that one wild batch can ask for.
func solver(rate float64) gorgonia.Solver {
	return gorgonia.NewAdamSolver(gorgonia.WithLearnRate(rate))
}

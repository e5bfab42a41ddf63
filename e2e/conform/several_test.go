package conform

import "testing"

type several struct{}

func walkOn(t *testing.T, start func(testing.TB) string) (s several) { return s }

func severalChecks() map[string]check { return map[string]check{} }

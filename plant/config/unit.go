package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a duration of Go ("100ms", "1h30m") or days ("14d").
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		v, err := strconv.ParseFloat(days, 64)
		if err == nil && math.Abs(v) < 100_000 {
			return time.Duration(v * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration, allowed are numbers with unit such as 100ms, 30s, 2h, 14d", s)
	}
	return d, nil
}

var sizes = []struct {
	suffix string
	bytes  float64
}{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads a number of bytes: "4GB", "512 MiB", "1000".
func ParseSize(s string) (int64, error) {
	text, factor := strings.ToUpper(strings.TrimSpace(s)), 1.0
	for _, u := range sizes {
		if n, ok := strings.CutSuffix(text, u.suffix); ok {
			text, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0) || v*factor >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size, allowed are numbers with unit such as 512MB, 4GB, 2GiB", s)
	}
	return int64(v * factor), nil
}

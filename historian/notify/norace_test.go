//go:build !race

package notify

const slow = false

//go:build race

package notify

// slow: SQLite runs ten times slower under the race detector.
const slow = true

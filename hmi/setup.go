package hmi

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"strings"
	"sync"
)

// setupCode lets one person make the first account: who can read the terminal
// of the server. It is needed on loopback too, where other users of the machine
// could be faster.
type setupCode struct {
	mu   sync.Mutex // guards code
	code string     // "" when it is used up
}

func newSetupCode() *setupCode {
	var b [10]byte
	rand.Read(b[:])
	c := base32.StdEncoding.EncodeToString(b[:]) // 16 characters, 80 bits
	return &setupCode{code: strings.Join([]string{c[:4], c[4:8], c[8:12], c[12:]}, "-")}
}

func (c *setupCode) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code
}

// matches compares what a person typed: case, spaces and hyphens do not matter.
func (c *setupCode) matches(typed string) bool {
	plain := func(s string) string {
		return strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(s))
	}
	code := c.text()
	return code != "" && subtle.ConstantTimeCompare([]byte(plain(code)), []byte(plain(typed))) == 1
}

func (c *setupCode) use() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.code = ""
}

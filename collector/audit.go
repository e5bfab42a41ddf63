package collector

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

const auditFile = "audit.log"

// audit adds a line to the record of what people changed in a PKI folder, and
// waits for the disk. It comes before the change: one that cannot be recorded
// is not made. FORMAT.md has the line.
func audit(pki, by, what, print, subject string) error {
	if by == "" {
		return errors.New("nobody is named who does it")
	}
	f, err := os.OpenFile(filepath.Join(pki, auditFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, secretMode)
	if err != nil {
		return err
	}
	fields := []string{time.Now().UTC().Format(time.RFC3339), by, what, print, subject}
	for i := range fields {
		fields[i] = oneLine(fields[i])
	}
	_, err = f.WriteString(strings.Join(fields, "\t") + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}

// oneLine keeps what a stranger wrote from breaking a line or a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

package channel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"

	"millwright/historian/notify/text/gsm7"
	"millwright/plant"
)

// Spool sends SMS through the folders of the SMS Server Tools (smsd of the
// package smstools), which drives the plant's own modem: a message is a file in
// outgoing/, an answer is one in incoming/.
//
// The name of a file follows from the key of its message, and smsd keeps names
// (its default) when it moves a file on to checked/, sent/ or failed/: a message
// that was handed over before a crash is found there and not written again.
type Spool struct {
	Dir   string        // holds outgoing/ and incoming/: "/var/spool/sms"
	Every time.Duration // looks for answers so often; 200 ms where zero
	Log   *slog.Logger
}

// Name is the kind of channel.
func (s *Spool) Name() string { return "sms" }

// Target is the folder.
func (s *Spool) Target() string { return s.Dir }

const (
	prefix       = "mw-"
	answerPrefix = "mw.re-"
	told         = ".told" // ends the name of a failure that was reported
	mostFile     = 64 << 10

	// An answer cancels what is pending within a second of its file: half of that is
	// for finding it. A file that is younger than settleAfter may still be written;
	// smsd writes one in one go.
	answersEvery = 200 * time.Millisecond
	settleAfter  = 300 * time.Millisecond
)

// The folders that a file passes, in this order: whoever looks for it in this
// order does not miss one that moves on meanwhile.
var stations = []string{"outgoing", "checked", "sent", "failed"}

// Send writes the message where smsd finds it. One that smsd could not send
// before is reported as a permanent error, and written anew at the next call.
func (s *Spool) Send(ctx context.Context, msg plant.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	number, err := number(msg.Address)
	if err != nil {
		return Permanent(err)
	}
	name := fileName(msg.Key)
	at, err := s.find(name)
	switch {
	case err != nil:
		return err
	case at == "failed":
		return s.report(name)
	case at != "":
		return nil
	}
	return s.put(name, number, msg.Text)
}

// find says at which station the file is.
func (s *Spool) find(name string) (station string, err error) {
	for _, d := range stations {
		_, err := os.Lstat(filepath.Join(s.Dir, d, name))
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

// report tells of a failure, once: the file gets a name that no message has.
func (s *Spool) report(name string) error {
	path := filepath.Join(s.Dir, "failed", name)
	why := reason(path)
	if err := os.Rename(path, path+told); err != nil {
		return err
	}
	return Permanent(fmt.Errorf("smsd gave up: %s", why))
}

// reason is why smsd could not send a file.
func reason(path string) string {
	if b, err := readSmall(path); err == nil {
		if f, err := parse(b); err == nil && f.header["fail_reason"] != "" {
			return oneLine(f.header["fail_reason"])
		}
	}
	return "the modem could not send it"
}

// Failed tells of messages that smsd took and could not send, each once: key is
// the message's. It stops at the first error of tell.
func (s *Spool) Failed(ctx context.Context, tell func(key, why string) error) error {
	list, err := os.ReadDir(filepath.Join(s.Dir, "failed"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // smsd keeps none
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		key, ours := keyOf(e.Name())
		if !ours || ctx.Err() != nil {
			continue
		}
		path := filepath.Join(s.Dir, "failed", e.Name())
		if err := tell(key, reason(path)); err != nil {
			return err
		}
		if err := os.Rename(path, path+told); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// put writes a file whole or not at all. smsd takes every file of outgoing/, but
// no folder: the file grows in one, on the same disk. The group of the folders
// is smsd's, which must be able to write what it takes.
func (s *Spool) put(name, number, text string) error {
	alphabet, body := encode(text)
	content := append([]byte("To: "+number+"\nAlphabet: "+alphabet+"\n\n"), body...)
	out := filepath.Join(s.Dir, "outgoing")
	growing := filepath.Join(out, ".millwright")
	if err := os.Mkdir(growing, 0o770); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	tmp := filepath.Join(growing, name)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o660)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o660) // whatever the umask says
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(tmp, filepath.Join(out, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	d, err := os.Open(out)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// encode chooses the cheaper alphabet that holds the text.
func encode(text string) (alphabet string, body []byte) {
	if _, ok := gsm7.Septets(text); ok {
		for _, r := range text {
			body = append(body, byte(r)) // all of it is in ISO 8859-1
		}
		return "ISO", body
	}
	for _, u := range utf16.Encode([]rune(text)) {
		body = append(body, byte(u>>8), byte(u))
	}
	return "UCS2", body
}

var digits = regexp.MustCompile(`^\+?[1-9][0-9]{6,14}$`)

// number is a telephone number as smsd wants it, international and without plus.
func number(address string) (string, error) {
	s := strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "", "\u00a0", "").Replace(address)
	s = strings.TrimPrefix(s, "00") // as some dial the plus
	if !digits.MatchString(s) {
		return "", fmt.Errorf("%q is no telephone number, allowed are international ones such as +923001234567", address)
	}
	return strings.TrimPrefix(s, "+"), nil
}

// fileName makes a safe name of a key, one that can be read back. A key that is
// too long for a name is hashed.
func fileName(key string) string {
	var b strings.Builder
	b.WriteString(prefix)
	for i := range len(key) {
		switch c := key[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	if b.Len() > 200 {
		sum := sha256.Sum256([]byte(key))
		return "mw.sha256-" + hex.EncodeToString(sum[:])
	}
	return b.String()
}

// keyOf reads the key back; ours is false for every other file.
func keyOf(name string) (key string, ours bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok || strings.HasSuffix(name, told) || strings.HasSuffix(name, ".LOCK") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		if rest[i] != '=' {
			b.WriteByte(rest[i])
			continue
		}
		if i+2 >= len(rest) {
			return "", false
		}
		c, err := hex.DecodeString(rest[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), true
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no file", path))
	}
	b, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err == nil && len(b) > mostFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, mostFile)
	}
	return b, err
}

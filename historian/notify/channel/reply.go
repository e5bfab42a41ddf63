package channel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// smsFile is a file of smsd: lines "Name: value", an empty line, the text.
type smsFile struct {
	header map[string]string // names in lower case
	text   string
}

var (
	errHeader = errors.New("the header has no end")
	errText   = errors.New("the text cannot be read")
)

// parse reads a file of smsd. The text is in the alphabet that the header names,
// ISO 8859-1 where it names none.
func parse(b []byte) (*smsFile, error) {
	f := &smsFile{header: map[string]string{}}
	for {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return nil, errHeader
		}
		b = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return nil, fmt.Errorf("%q is no line of a header", first(line, 40))
		}
		f.header[strings.ToLower(string(name))] = latin1(bytes.TrimSpace(value))
	}
	var err error
	f.text, err = decode(f.header["alphabet"], b)
	return f, err
}

// decode reads a text; smsd looks at three letters of the alphabet's name too.
func decode(alphabet string, b []byte) (string, error) {
	a := strings.ToLower(alphabet)
	switch a[:min(3, len(a))] {
	case "", "iso", "lat", "ans":
		return latin1(b), nil
	case "utf":
		if !utf8.Valid(b) {
			return "", fmt.Errorf("%w: not UTF-8", errText)
		}
		return string(b), nil
	case "ucs", "uni", "chi":
		if len(b)%2 == 1 && b[len(b)-1] == '\n' {
			b = b[:len(b)-1] // a line end that the header's alphabet got
		}
		if len(b)%2 == 1 {
			return "", fmt.Errorf("%w: half a character at the end", errText)
		}
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(units)), nil
	}
	return "", fmt.Errorf("%w: alphabet %q", errText, alphabet)
}

func latin1(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

var whole = regexp.MustCompile(`^[1-9][0-9]{9,14}$`)

// sender is the number as the roster has it: with a plus where it is an
// international one, as it is where it is a short number or a name.
func (f *smsFile) sender() string {
	from := strings.TrimPrefix(f.header["from"], "+")
	kind := f.header["from_toa"]
	if whole.MatchString(from) && (kind == "" || strings.HasPrefix(kind, "91")) {
		return "+" + from
	}
	return f.header["from"]
}

// Replies hands over what people answer, until the context ends: from is the
// number ("+923001234567") and the text what came from it. What take returns is
// sent back unless it is empty. A file goes when take returned nil and its
// answer is on its way; until then it is offered again. What cannot be read, or
// was not written by a person, is put aside in quarantine/.
func (s *Spool) Replies(ctx context.Context, take func(from, text string) (answer string, err error)) error {
	every := s.Every
	if every == 0 {
		every = answersEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := map[string]bool{} // names that are in the log already
	for {
		s.look(ctx, take, said)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// look offers what lies in incoming/, oldest name first, and forgets the names
// that are gone.
func (s *Spool) look(ctx context.Context, take func(from, text string) (string, error), said map[string]bool) {
	list, err := os.ReadDir(filepath.Join(s.Dir, "incoming"))
	if err != nil {
		if !said[""] {
			said[""] = true
			s.Log.Error("SMS answers cannot be read", "err", err)
		}
		return
	}
	delete(said, "")
	there := map[string]bool{}
	for _, e := range list {
		name := e.Name()
		there[name] = true
		if ctx.Err() != nil || !e.Type().IsRegular() || name[0] == '.' || strings.HasSuffix(name, ".LOCK") {
			continue
		}
		if err := s.reply(name, take); err != nil && !said[name] {
			said[name] = true
			s.Log.Error("SMS answer not taken", "file", name, "err", err)
		}
	}
	for name := range said {
		if name != "" && !there[name] {
			delete(said, name)
		}
	}
}

// reply offers one file.
func (s *Spool) reply(name string, take func(from, text string) (string, error)) error {
	path := filepath.Join(s.Dir, "incoming", name)
	st, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else took it
		}
		return err
	}
	if age := time.Since(st.ModTime()); age >= 0 && age < settleAfter {
		return nil
	}
	if st.Size() > mostFile {
		return s.aside(name, fmt.Errorf("larger than %d bytes", mostFile))
	}
	b, err := readSmall(path)
	if err != nil {
		return err // not ours to judge: it may be readable when permissions are mended
	}
	f, err := parse(b)
	switch {
	case err != nil:
		return s.aside(name, err)
	case f.header["from"] == "":
		return s.aside(name, errors.New("says not whom it is from"))
	case f.header["call_type"] != "" || strings.HasPrefix(f.text, "SMS STATUS REPORT"):
		return s.aside(name, errors.New("a notice of the network, not an answer"))
	}
	answer, err := take(f.sender(), strings.TrimSpace(strings.ReplaceAll(f.text, "\x00", "")))
	if err != nil {
		return err
	}
	if answer != "" {
		if err := s.respond(name, b, f.sender(), answer); err != nil {
			return err
		}
	}
	return os.Remove(path)
}

// respond writes an answer once, however often the file is offered: its name
// follows from the file's name and content.
func (s *Spool) respond(name string, content []byte, to, text string) error {
	n, err := number(to)
	if err != nil {
		return nil // a name or a short number cannot be answered
	}
	sum := sha256.Sum256(append([]byte(name+"\x00"), content...))
	file := answerPrefix + hex.EncodeToString(sum[:16])
	at, err := s.find(file)
	if err != nil || at != "" {
		return err
	}
	return s.put(file, n, text)
}

// aside moves a file out of the way.
func (s *Spool) aside(name string, why error) error {
	dir := filepath.Join(s.Dir, "quarantine")
	if err := os.Mkdir(dir, 0o770); err != nil && !errors.Is(err, fs.ErrExist) {
		return errors.Join(why, err)
	}
	if err := os.Rename(filepath.Join(s.Dir, "incoming", name), filepath.Join(dir, name)); err != nil {
		return errors.Join(why, err)
	}
	s.Log.Warn("SMS put aside", "file", filepath.Join(dir, name), "why", why)
	return nil
}

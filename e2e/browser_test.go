package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// browser is a real Chromium, driven over a line protocol.
type browser struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

type args map[string]any

// newBrowser starts Chromium, or skips where it cannot be had (CI: fails).
func newBrowser(t *testing.T) *browser {
	t.Helper()
	modules, err := filepath.Abs("../hmi/web/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	for _, need := range []string{filepath.Join(modules, "playwright-core"), chromiumPath()} {
		if _, err := os.Stat(need); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%v: make tools web", err)
			}
			t.Skipf("%v: make tools web", err)
		}
	}
	cmd := exec.Command("node", "testdata/browser.mjs", modules)
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromiumPath())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &browser{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

func chromiumPath() string {
	if p := os.Getenv("CHROMIUM"); p != "" {
		return p
	}
	return "/usr/bin/chromium"
}

// try does one command and decodes its value into v, which may be nil.
func (b *browser) try(op string, a args, v any) error {
	b.t.Helper()
	line := args{"op": op}
	for k, x := range a {
		line[k] = x
	}
	js, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err := b.in.Write(append(js, '\n')); err != nil {
		return err
	}
	answer, err := b.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("browser: %w", err)
	}
	var got struct {
		Value json.RawMessage
		Error string
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return err
	}
	if got.Error != "" {
		return fmt.Errorf("%s: %s", op, got.Error)
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(got.Value, v)
}

func (b *browser) do(op string, a args, v any) {
	b.t.Helper()
	if err := b.try(op, a, v); err != nil {
		b.t.Fatal(err)
	}
}

// wait polls a JavaScript expression in a page until it is true.
func (b *browser) wait(page, js string, ms int) {
	b.t.Helper()
	if err := b.try("wait", args{"page": page, "js": js, "ms": ms}, nil); err != nil {
		var text string
		_ = b.try("eval", args{"page": page, "js": "document.body.innerText.slice(0, 1500)"}, &text)
		b.shoot(page, "failed")
		b.t.Fatalf("%s: not within %d ms: %s\n%v\npage:\n%s", page, ms, js, err, text)
	}
}

// click presses the first that a selector finds, once it is there and can be pressed.
func (b *browser) click(page, selector string) {
	b.t.Helper()
	b.hand("click", page, args{"selector": selector})
}

// fill types a text into a field in place of what it holds.
func (b *browser) fill(page, selector, text string) {
	b.t.Helper()
	b.hand("fill", page, args{"selector": selector, "text": text})
}

// choose takes the option of a list by its value.
func (b *browser) choose(page, selector, value string) {
	b.t.Helper()
	b.hand("choose", page, args{"selector": selector, "text": value})
}

// hand does what a hand does; where it cannot, the picture shows the page.
func (b *browser) hand(op, page string, a args) {
	b.t.Helper()
	a["page"] = page
	if err := b.try(op, a, nil); err != nil {
		b.shoot(page, "failed")
		b.t.Fatalf("%s: %v", page, err)
	}
}

// says waits until the text of the first that a selector finds matches a pattern.
func (b *browser) says(page, selector, pattern string) {
	b.t.Helper()
	b.wait(page, fmt.Sprintf(`(() => {
		const found = document.querySelector(%q);
		return found !== null && new RegExp(%q).test(found.innerText.replace(/\s+/g, " "));
	})()`, selector, pattern), patience)
}

// shoot keeps pictures of a page, on a desk and in a hand, where MILLWRIGHT_SHOTS
// names a folder.
func (b *browser) shoot(page, name string) {
	dir := os.Getenv("MILLWRIGHT_SHOTS")
	if dir == "" {
		return
	}
	for _, width := range []int{1280, 390} {
		_ = b.try("shot", args{"page": page, "file": filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, width)), "width": width}, nil)
	}
}

// harmless fails where a page has asked another host for something, or a script of
// it has failed.
func (b *browser) harmless() {
	b.t.Helper()
	var outside, errs []string
	b.do("outside", nil, &outside)
	b.do("errors", nil, &errs)
	if len(outside)+len(errs) > 0 {
		b.t.Errorf("requests to other hosts %v, script errors %v", outside, errs)
	}
}

package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"millwright/historian/export"
)

type exportCmd struct {
	Tags  string `help:"Paths of tags, * and ? are wild cards: HSM/FM/F3/GBX/*,*/FLOW." placeholder:"GLOB,…"`
	Asset string `help:"All of this asset and of those below it; with --tags, only there." placeholder:"PATH"`
	From  string `help:"Start: a time (RFC 3339), a day, or so long ago as --from=-7d (default: a day before --to)." placeholder:"TIME"`
	To    string `help:"End, not included (default: now)." placeholder:"TIME"`

	Out    string `short:"o" required:"" help:"File to write. FILE.manifest.json beside it says what is inside." placeholder:"FILE"`
	Format string `help:"parquet, csv or arrow (default: by the name of FILE, else parquet)." placeholder:"FORMAT"`
	Shape  string `help:"long: a row for each sample; wide: a row for each step of a grid, a column for each tag (default long)." placeholder:"SHAPE"`

	Quality string `help:"good, uncertain (and good) or all (default: all, wide good)." placeholder:"QUALITY"`
	Grid    string `help:"wide: time between rows (default 1s)." placeholder:"DURATION"`
	Fill    string `help:"wide: step, linear or mean between samples of analogue tags (default step)." placeholder:"FILL"`
	Hold    string `help:"wide: how many steps of the grid an analogue sample speaks for (default 3)." placeholder:"STEPS"`

	URL       string `name:"url" help:"Ask this running plant." placeholder:"URL" xor:"where"`
	TokenFile string `help:"File with the token of a viewer, for --url." placeholder:"FILE"`
	Data      string `help:"Read the data folder of a millwright up that is stopped (default ./millwright-data)." placeholder:"DIR" xor:"where"`
	Config    string `short:"c" help:"Read the historian of this configuration, stopped." placeholder:"FILE.toml" xor:"where"`
}

// Run writes the file, or nothing.
func (c *exportCmd) Run(e *env) error {
	if c.TokenFile != "" && c.URL == "" {
		return usageError("--token-file is for --url")
	}
	if dir := filepath.Dir(c.Out); !isFolder(dir) {
		return fmt.Errorf("-o: %s is no folder: make it or choose another one", dir)
	}
	if isFolder(c.Out) {
		return fmt.Errorf("-o: %s is a folder: name a file", c.Out)
	}
	q, err := export.Parse(c.values(), time.Now())
	if err != nil {
		return err
	}
	show := newMeter(e.stderr)
	var m *export.Manifest
	if c.URL != "" {
		m, err = c.fetch(e.ctx, q, show)
	} else {
		m, err = c.read(e.ctx, q, show)
	}
	show.end()
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped; nothing was written")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s: %d rows of %d tags, %d bytes, sha256 %s\n", c.Out, m.Rows, len(m.Tags), m.File.Size, m.File.SHA256)
	return err
}

// values are the flags as the parameters of a request.
func (c *exportCmd) values() url.Values {
	format := c.Format
	if ext := strings.TrimPrefix(filepath.Ext(c.Out), "."); format == "" && (ext == "csv" || ext == "arrow") {
		format = ext
	}
	v := url.Values{}
	for name, text := range map[string]string{
		"tags": c.Tags, "asset": c.Asset, "from": c.From, "to": c.To, "format": format, "shape": c.Shape,
		"quality": c.Quality, "grid": c.Grid, "fill": c.Fill, "hold": c.Hold,
	} {
		if text != "" {
			v.Set(name, text)
		}
	}
	return v
}

// read exports from the data of a historian that does not run.
func (c *exportCmd) read(ctx context.Context, q export.Query, show *meter) (_ *export.Manifest, err error) {
	h, err := historianOf(c.Data, c.Config, "the data")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(h.Data, "alarms")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no data of a historian: name its folder with --data or -c, or ask a running plant with --url", h.Data)
	}
	src, err := openStopped(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	job := &export.Job{Source: src, Version: version, Progress: func(p export.Progress) { show.rows(p.Rows, p.Done) }}
	return job.WriteFile(ctx, q, c.Out)
}

// fetch lets a running plant export, and checks what it sends.
func (c *exportCmd) fetch(ctx context.Context, q export.Query, show *meter) (*export.Manifest, error) {
	token := ""
	if c.TokenFile != "" {
		b, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		token = strings.TrimSpace(string(b))
	}
	var m *export.Manifest
	err := export.Place(c.Out, func(f *os.File) ([]byte, error) {
		sum, err := c.body(ctx, token, q, f, show)
		if err != nil {
			return nil, err
		}
		var text []byte
		m, text, err = c.manifest(ctx, token, q)
		if err == nil && (m.File == nil || m.File.SHA256 != sum) {
			err = errors.New("the data changed while it was sent: try again, or end the span earlier with --to")
		}
		return text, err
	})
	return m, err
}

// body copies the file of the plant and returns its hash, which is the one that
// the plant says.
func (c *exportCmd) body(ctx context.Context, token string, q export.Query, f *os.File, show *meter) (sum string, err error) {
	res, err := c.get(ctx, token, q.Values())
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	hash := sha256.New()
	buf := bufio.NewWriterSize(f, 256<<10)
	n, err := io.Copy(io.MultiWriter(buf, hash), &metered{res.Body, show, 0, res.ContentLength})
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return "", fmt.Errorf("%s: broke off after %d bytes: %w", c.URL, n, err)
	}
	got := hash.Sum(nil)
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(got) + ":"; res.Header.Get("Repr-Digest") != want {
		return "", fmt.Errorf("%s: what arrived is not what was sent: its hash is %s, the plant says %q", c.URL, want, res.Header.Get("Repr-Digest"))
	}
	return hex.EncodeToString(got), nil
}

func (c *exportCmd) manifest(ctx context.Context, token string, q export.Query) (*export.Manifest, []byte, error) {
	values := q.Values()
	values.Set("manifest", "true")
	res, err := c.get(ctx, token, values)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<30))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: manifest: %w", c.URL, err)
	}
	m := &export.Manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, nil, fmt.Errorf("%s: manifest: %w", c.URL, err)
	}
	return m, text, nil
}

// get asks the plant for an export; what it refuses comes as an error.
func (c *exportCmd) get(ctx context.Context, token string, values url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/api/v1/export?"+values.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("redirected elsewhere: name the plant's own page with --url")
	}}
	res, err := client.Do(req)
	if err != nil {
		var told *url.Error
		if errors.As(err, &told) {
			err = told.Err // without all of the parameters
		}
		return nil, fmt.Errorf("%s: %w", c.URL, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // what is missing of it says less
	var problem struct {
		Detail string   `json:"detail"`
		Faults []string `json:"faults"`
	}
	_ = json.Unmarshal(text, &problem)
	switch {
	case len(problem.Faults) > 0:
		return nil, errors.New(strings.Join(problem.Faults, "\n"))
	case res.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s: %s: make a token with millwright users token NAME and name its file with --token-file", c.URL, cmp.Or(problem.Detail, res.Status))
	}
	return nil, fmt.Errorf("%s: %s", c.URL, cmp.Or(problem.Detail, res.Status))
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// meter shows on a terminal how far an export is; elsewhere it is silent.
type meter struct {
	w     io.Writer // nil: no terminal
	start time.Time
	last  time.Time
}

func newMeter(w io.Writer) *meter {
	m := &meter{start: time.Now()}
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			m.w = w
		}
	}
	return m
}

// due reports whether it is time to show something new.
func (m *meter) due() bool {
	now := time.Now()
	if m.w == nil || now.Sub(m.last) < 200*time.Millisecond {
		return false
	}
	m.last = now
	return true
}

func (m *meter) rows(n int64, done float64) {
	if m.due() {
		fmt.Fprintf(m.w, "\r\x1b[K%3.0f %%  %s rows  %s rows/s", 100*done, short(float64(n)), short(float64(n)/time.Since(m.start).Seconds()))
	}
}

func (m *meter) bytes(n, all int64) {
	if !m.due() {
		return
	}
	done := ""
	if all > 0 {
		done = fmt.Sprintf("%3.0f %%  ", 100*float64(n)/float64(all))
	}
	fmt.Fprintf(m.w, "\r\x1b[K%s%sB  %sB/s", done, short(float64(n)), short(float64(n)/time.Since(m.start).Seconds()))
}

// end clears the terminal's line.
func (m *meter) end() {
	if m.w != nil && !m.last.IsZero() {
		fmt.Fprint(m.w, "\r\x1b[K")
	}
}

// short is a number with three digits and a unit prefix.
func short(n float64) string {
	prefixes := []string{"", "k", "M", "G", "T"}
	i := 0
	for ; n >= 1000 && i < len(prefixes)-1; i++ {
		n /= 1000
	}
	return strconv.FormatFloat(n, 'f', 1, 64) + " " + prefixes[i]
}

// metered tells a meter what is read.
type metered struct {
	r   io.Reader
	m   *meter
	n   int64
	all int64
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.n += int64(n)
	m.m.bytes(m.n, m.all)
	return n, err
}

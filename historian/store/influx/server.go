package influx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"millwright/historian/store"
)

// server is the database as this package speaks to it.
type server struct {
	client    influxdb2.Client
	writer    api.WriteAPIBlocking
	transport *http.Transport
	url       string
	org       string
	bucket    string
	timeout   time.Duration // for an answer, and between two pieces of one
	v2        bool          // it has the bucket and delete interface
}

func newServer(cfg *Config) (*server, error) {
	if u, err := url.Parse(cfg.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("influx: %q is no address, expected http://HOST:8086 or https://HOST:8086", cfg.URL)
	}
	v := &server{url: strings.TrimSuffix(cfg.URL, "/"), org: cfg.Org, bucket: cfg.Database, timeout: cfg.Timeout}
	if v.timeout <= 0 {
		v.timeout = 30 * time.Second
	}
	v.transport = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 2 * lanes,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // of answers: it costs the server more than the plant's network
	}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("influx: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("influx: %s holds no certificate in PEM", cfg.CA)
		}
		v.transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	v.client = influxdb2.NewClientWithOptions(v.url, cfg.Token, influxdb2.DefaultOptions().
		SetHTTPClient(&http.Client{Transport: v.transport}).
		SetPrecision(time.Millisecond).SetUseGZip(true).SetMaxRetries(0).SetApplicationName("millwright"))
	v.writer = v.client.WriteAPIBlocking(v.org, v.bucket)
	return v, nil
}

func (v *server) close() {
	v.client.Close()
	v.transport.CloseIdleConnections()
}

// What an answer can mean beyond its text.
var (
	errRefused = errors.New("refused")     // the server will never take these points
	errDenied  = errors.New("not allowed") // the token's fault
)

// explain says what an error means and what to do about it.
func (v *server) explain(err error) error {
	e, ok := errors.AsType[*influxhttp.Error](err)
	if !ok || e.StatusCode == 0 {
		if errors.Is(err, context.Canceled) || errors.Is(err, store.ErrClosed) {
			return err
		}
		return fmt.Errorf("InfluxDB at %s: %w: see that it runs and can be reached from here; the edges keep their records until then", v.url, err)
	}
	what := e.Message
	if what == "" {
		what = e.Header.Get("X-Influxdb-Error")
	}
	what = strings.Join(strings.Fields(strings.TrimPrefix(what, "error")), " ") // of a query it is a table
	base := fmt.Sprintf("InfluxDB at %s answers %d %s", v.url, e.StatusCode, what)
	switch {
	case strings.Contains(what, "no space left"):
		return fmt.Errorf("%s: %w: free space on its machine, and restart a 1.8, which stays refusing; the edges keep their records until then", base, store.ErrDiskFull)
	case e.StatusCode == http.StatusUnauthorized, e.StatusCode == http.StatusForbidden, strings.Contains(what, ", requires "):
		return fmt.Errorf("%s: %w: check the token or the user and password, and their rights on %s", base, errDenied, v.bucket)
	case e.StatusCode == http.StatusNotFound, strings.Contains(what, "retention policy not found"), strings.HasSuffix(what, ": no database"):
		return fmt.Errorf("%s: make the database or bucket %s", base, v.bucket)
	case e.StatusCode == http.StatusBadRequest, e.StatusCode == http.StatusUnprocessableEntity, e.StatusCode == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%s: %w", base, errRefused)
	}
	return fmt.Errorf("%s: it is overloaded or damaged, see its log; the edges keep their records until then", base)
}

// write stores lines and returns nil when the server has confirmed them.
func (v *server) write(ctx context.Context, lines string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, v.timeout, fmt.Errorf("no answer within %v", v.timeout))
	defer cancel()
	err := v.writer.WriteRecord(ctx, lines)
	if err == nil {
		return nil
	}
	return v.explain(because(ctx, err))
}

// because is why ctx ended, where an error came from its end.
func because(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// query runs Flux and gives its answer to read, piece by piece.
func (v *server) query(ctx context.Context, flux string, read func(io.Reader) error) error {
	body, err := json.Marshal(map[string]any{
		"query": flux, "type": "flux",
		"dialect": map[string]any{"header": true, "annotations": []string{}, "delimiter": ","},
	})
	if err != nil {
		return fmt.Errorf("influx: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := newPatience(v.timeout, cancel)
	defer patience.stop()
	target := v.url + "/api/v2/query?" + url.Values{"org": {v.org}}.Encode()
	var inner error // of read, or explained already
	failed := v.client.HTTPService().DoPostRequest(ctx, target, strings.NewReader(string(body)), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "text/csv")
	}, func(r *http.Response) error {
		defer r.Body.Close()
		inner = read(&answer{r.Body, patience, func(err error) error { return v.explain(because(ctx, err)) }})
		return inner
	})
	switch {
	case failed == nil:
		return nil
	case inner != nil:
		return inner
	}
	return v.explain(because(ctx, failed))
}

// patience ends a request when nothing comes for too long. It does not count the
// time in which nobody reads.
type patience struct {
	limit time.Duration
	timer *time.Timer
}

func newPatience(limit time.Duration, cancel context.CancelCauseFunc) *patience {
	return &patience{limit, time.AfterFunc(limit, func() { cancel(fmt.Errorf("no answer within %v", limit)) })}
}

func (p *patience) stop() { p.timer.Stop() }

// answer is the body of one.
type answer struct {
	body     io.Reader
	patience *patience
	explain  func(error) error
}

func (a *answer) Read(b []byte) (int, error) {
	a.patience.timer.Reset(a.patience.limit)
	n, err := a.body.Read(b)
	a.patience.timer.Stop()
	if err != nil && err != io.EOF {
		err = a.explain(err)
	}
	return n, err
}

// influxQL runs a statement of the 1.x line.
func (v *server) influxQL(ctx context.Context, database, q string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, v.timeout, fmt.Errorf("no answer within %v", v.timeout))
	defer cancel()
	var said struct {
		Results []struct{ Error string }
	}
	form := url.Values{"db": {database}, "q": {q}}.Encode()
	failed := v.client.HTTPService().DoPostRequest(ctx, v.url+"/query", strings.NewReader(form), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}, func(r *http.Response) error {
		defer r.Body.Close()
		return json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&said)
	})
	if failed != nil {
		return v.explain(because(ctx, failed))
	}
	for _, r := range said.Results {
		if r.Error != "" {
			return fmt.Errorf("InfluxDB at %s: %s", v.url, r.Error)
		}
	}
	return nil
}

// connect finds out whom we speak to, and makes the database on a 1.x server.
// On 2.x that is the administrator's business.
func (v *server) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, v.timeout, fmt.Errorf("no answer within %v", v.timeout))
	defer cancel()
	if _, err := v.client.Health(ctx); err != nil {
		return v.explain(because(ctx, err))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+"/api/v2/buckets?limit=1", nil)
	if err != nil {
		return err
	}
	r, err := v.client.HTTPService().DoHTTPRequestWithResponse(req, nil)
	if err != nil {
		return v.explain(because(ctx, err))
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20))
	_ = r.Body.Close()
	if v.v2 = r.StatusCode != http.StatusNotFound; v.v2 {
		return nil
	}
	database, policy := v.database()
	err = v.influxQL(ctx, database, "CREATE DATABASE "+nameQL(database))
	if err == nil && policy != "" && policy != "autogen" {
		// It may be there with a duration of the plant's choice.
		_ = v.influxQL(ctx, database, "CREATE RETENTION POLICY "+nameQL(policy)+" ON "+nameQL(database)+" DURATION INF REPLICATION 1")
	}
	if errors.Is(err, errDenied) {
		return nil // no administrator: the database must be there, and the first write tells
	}
	return err
}

// database splits "database/policy", as a 1.x server does.
func (v *server) database() (name, policy string) {
	name, policy, _ = strings.Cut(v.bucket, "/")
	return name, policy
}

// delete removes a series' points of a span of whole milliseconds.
func (v *server) delete(ctx context.Context, measurement, point string, from, to int64) error {
	if v.v2 {
		ctx, cancel := context.WithTimeoutCause(ctx, v.timeout, fmt.Errorf("no answer within %v", v.timeout))
		defer cancel()
		// Whether the end is included does not matter to whole milliseconds.
		err := v.client.DeleteAPI().DeleteWithName(ctx, v.org, v.bucket, time.Unix(0, from).UTC(), time.Unix(0, to-1).UTC(),
			"_measurement="+text(measurement)+" AND point="+text(point))
		if err != nil {
			return v.explain(because(ctx, err))
		}
		return nil
	}
	database, _ := v.database()
	return v.influxQL(ctx, database, fmt.Sprintf("DELETE FROM %s WHERE %s = %s AND time >= %d AND time < %d",
		nameQL(measurement), nameQL("point"), textQL(point), from, to))
}

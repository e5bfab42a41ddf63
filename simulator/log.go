package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"strconv"
	"sync"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// Truth is a line of the ledger: the severity that a fault has from a time on.
// The first of a fault is its start, further ones follow every 5 % and at the
// final severity; severity 0 is its repair.
//
// In the file: {"time":1700000000000,"plant_time":90.05,"asset":"…","fault":"…",
// "severity":0.02} with the time in ms since 1970 and the plant time in seconds.
type Truth struct {
	Time      int64 // ns UTC on the clock
	PlantTime time.Duration
	Asset     string
	Fault     string // sensor faults name their tag: "stuck=OIL_T"
	Severity  float64
}

// Offer is a line of the sample log: a value that was offered to a monitored
// item. Seq counts the values of the tag that were offered since the server's
// start, from 1 on.
//
// In the file: {"tag":"…","seq":1,"time":1700000000000,"value":1.5,"quality":0}
// with the source time in ms since 1970 and the quality as StatusCode. The value
// is a number, a text, or null for a number that is not one; infinities are
// written 1e999 and -1e999.
type Offer struct {
	Tag     string
	Seq     uint64
	Time    int64 // ns UTC, whole ms
	Value   float64
	Text    string
	IsText  bool
	Quality plant.Quality
}

// journal is a log file that is written through at every entry, so that a kill
// takes nothing that was said.
type journal struct {
	mu  sync.Mutex
	f   *os.File
	buf []byte
	err error
}

// openJournal opens a log to be continued. A torn last line is cut off.
func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	end, err := lastLine(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &journal{f: f}, nil
}

// lastLine is the offset behind the last line end.
func lastLine(f *os.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	block := make([]byte, 4096)
	for end > 0 {
		from := max(0, end-int64(len(block)))
		b := block[:end-from]
		if _, err := f.ReadAt(b, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}

// write appends what fill appends. The first error stays; nothing is written
// after it, so that the log has no hole.
func (j *journal) write(fill func([]byte) []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = fill(j.buf[:0])
	if j.err == nil && len(j.buf) > 0 {
		_, j.err = j.f.Write(j.buf)
	}
}

// broken reports whether an entry could not be written; close says why.
func (j *journal) broken() bool {
	if j == nil {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err != nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.err, j.f.Close())
}

func appendTruth(b []byte, t *Truth) []byte {
	b = append(b, `{"time":`...)
	b = strconv.AppendInt(b, t.Time/1e6, 10)
	b = append(b, `,"plant_time":`...)
	b = strconv.AppendFloat(b, t.PlantTime.Seconds(), 'f', -1, 64)
	b = append(b, `,"asset":`...)
	b = append(b, quote(t.Asset)...)
	b = append(b, `,"fault":`...)
	b = append(b, quote(t.Fault)...)
	b = append(b, `,"severity":`...)
	b = strconv.AppendFloat(b, t.Severity, 'f', -1, 64)
	return append(b, "}\n"...)
}

// appendOffer appends an offer of the tag whose path is quoted already.
func appendOffer(b []byte, path []byte, v *server.Value, text bool) []byte {
	b = append(b, `{"tag":`...)
	b = append(b, path...)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, v.Seq, 10)
	b = append(b, `,"time":`...)
	b = strconv.AppendInt(b, v.Time/1e6, 10)
	b = append(b, `,"value":`...)
	switch {
	case text:
		b = append(b, quote(v.Text)...)
	case math.IsNaN(v.Number):
		b = append(b, "null"...)
	case math.IsInf(v.Number, 1):
		b = append(b, "1e999"...)
	case math.IsInf(v.Number, -1):
		b = append(b, "-1e999"...)
	default:
		b = strconv.AppendFloat(b, v.Number, 'g', -1, 64)
	}
	b = append(b, `,"quality":`...)
	b = strconv.AppendUint(b, uint64(v.Quality), 10)
	return append(b, "}\n"...)
}

// quote is s as a JSON string.
func quote(s string) []byte {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return b
}

// ReadLedger reads a ledger line by line. A last line without an end, which a
// kill can leave, is dropped. It stops at the first error, "name:line: …".
func ReadLedger(name string, r io.Reader) iter.Seq2[Truth, error] {
	type line struct {
		Time      *int64   `json:"time"`
		PlantTime *float64 `json:"plant_time"`
		Asset     *string  `json:"asset"`
		Fault     *string  `json:"fault"`
		Severity  *float64 `json:"severity"`
	}
	return func(yield func(Truth, error) bool) {
		eachLine(name, r, func(b []byte) (bool, error) {
			var l line
			if err := json.Unmarshal(b, &l); err != nil {
				return false, err
			}
			if l.Time == nil || l.PlantTime == nil || l.Asset == nil || l.Fault == nil || l.Severity == nil {
				return false, errors.New("is no line of a ledger, expected time, plant_time, asset, fault, severity")
			}
			if !msFits(*l.Time) || !(math.Abs(*l.PlantTime) < 9e9) {
				return false, errors.New("the time is out of range")
			}
			return yield(Truth{Time: *l.Time * 1e6, PlantTime: time.Duration(math.Round(*l.PlantTime * 1e9)), Asset: *l.Asset,
				Fault: *l.Fault, Severity: *l.Severity}, nil), nil
		}, func(err error) { yield(Truth{}, err) })
	}
}

func msFits(ms int64) bool { return ms > math.MinInt64/1_000_000 && ms < math.MaxInt64/1_000_000 }

// ReadSamples reads a sample log as ReadLedger reads a ledger.
func ReadSamples(name string, r io.Reader) iter.Seq2[Offer, error] {
	type line struct {
		Tag     *string         `json:"tag"`
		Seq     *uint64         `json:"seq"`
		Time    *int64          `json:"time"`
		Value   json.RawMessage `json:"value"`
		Quality *uint32         `json:"quality"`
	}
	return func(yield func(Offer, error) bool) {
		eachLine(name, r, func(b []byte) (bool, error) {
			var l line
			if err := json.Unmarshal(b, &l); err != nil {
				return false, err
			}
			if l.Tag == nil || l.Seq == nil || l.Time == nil || l.Quality == nil || len(l.Value) == 0 {
				return false, errors.New("is no line of a sample log, expected tag, seq, time, value, quality")
			}
			if !msFits(*l.Time) {
				return false, errors.New("the time is out of range")
			}
			o := Offer{Tag: *l.Tag, Seq: *l.Seq, Time: *l.Time * 1e6, Quality: plant.Quality(*l.Quality)}
			if err := o.value(l.Value); err != nil {
				return false, err
			}
			return yield(o, nil), nil
		}, func(err error) { yield(Offer{}, err) })
	}
}

func (o *Offer) value(raw []byte) error {
	switch {
	case string(raw) == "null":
		o.Value = math.NaN()
	case raw[0] == '"':
		o.IsText = true
		return json.Unmarshal(raw, &o.Text)
	default:
		v, err := strconv.ParseFloat(string(raw), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("the value %s is neither number nor text", raw)
		}
		o.Value = v
	}
	return nil
}

// eachLine calls line for every complete line until it returns false, and fail
// at most once.
func eachLine(name string, r io.Reader, line func([]byte) (bool, error), fail func(error)) {
	br := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		b, err := br.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			var more bool
			if more, err = line(b); err == nil && !more {
				return
			}
		}
		if err != nil {
			fail(fmt.Errorf("%s:%d: %w", name, n, err))
			return
		}
	}
}

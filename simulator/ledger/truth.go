package ledger

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
	"time"
)

// Truth is an entry of the ledger: the severity that a fault has from a time on.
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

// Truths is a ledger that is being written. It is safe for many goroutines.
type Truths struct{ file }

// OpenTruths opens a ledger to be continued. A torn last line is cut off.
func OpenTruths(path string) (*Truths, error) {
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
	return &Truths{file{f: f}}, nil
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

// Write appends an entry.
func (l *Truths) Write(t Truth) {
	l.write(func(b []byte) ([]byte, error) { return AppendTruth(b, t), nil })
}

// AppendTruth appends an entry's line to b.
func AppendTruth(b []byte, t Truth) []byte {
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

// quote is s as a JSON string.
func quote(s string) []byte {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return b
}

// ReadTruths reads a ledger line by line. A last line without an end, which a
// kill can leave, is dropped. It stops at the first error, "name:line: …".
func ReadTruths(name string, r io.Reader) iter.Seq2[Truth, error] {
	return func(yield func(Truth, error) bool) {
		br := bufio.NewReaderSize(r, 1<<20)
		for n := 1; ; n++ {
			line, err := br.ReadSlice('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				err = errors.New("the line is longer than 1 MiB, which none of a ledger is")
			}
			var t Truth
			if err == nil {
				t, err = parseTruth(line)
			}
			if err != nil {
				yield(Truth{}, fmt.Errorf("%s:%d: %w", name, n, err))
				return
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}

func parseTruth(line []byte) (Truth, error) {
	var l struct {
		Time      *int64   `json:"time"`
		PlantTime *float64 `json:"plant_time"`
		Asset     *string  `json:"asset"`
		Fault     *string  `json:"fault"`
		Severity  *float64 `json:"severity"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return Truth{}, err
	}
	if l.Time == nil || l.PlantTime == nil || l.Asset == nil || l.Fault == nil || l.Severity == nil {
		return Truth{}, errors.New("is no line of a ledger, expected time, plant_time, asset, fault, severity")
	}
	if !msFits(*l.Time) || !(math.Abs(*l.PlantTime) < 9e9) {
		return Truth{}, errors.New("the time is out of range")
	}
	if !(*l.Severity >= 0 && *l.Severity <= 1) {
		return Truth{}, fmt.Errorf("severity %v, allowed is 0 to 1", *l.Severity)
	}
	return Truth{Time: *l.Time * 1e6, PlantTime: time.Duration(math.Round(*l.PlantTime * 1e9)), Asset: *l.Asset, Fault: *l.Fault,
		Severity: *l.Severity}, nil
}

// msFits reports whether a time in ms is one in ns as well.
func msFits(ms int64) bool { return ms > math.MinInt64/1_000_000 && ms < math.MaxInt64/1_000_000 }

package simulator

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millwright/simulator/vibration/vibrationtest"
)

// blindBand is what all recordings have in common, Hz.
const (
	blindLow  = 20.0
	blindHigh = 5500.0
)

// blindLook is what a person would tell a burst by.
type blindLook struct {
	from              string // recording or accelerometer
	public            bool
	kurt, crest, tilt float64
}

// Blind test of the reference (2.7.4): nobody shall tell bursts of the simulator from
// those of public rigs by kurtosis, crest factor and slope of the spectrum alone. The
// recordings are of bearings, most of them damaged, so are the simulated machines. Each
// burst is 80 ms, the length that all have in common, of 20 Hz to 5.5 kHz.
//
// It needs the folder that holds femto/ and cwru_npz/: MILLWRIGHT_DATA, or shared/data
// beside this repository.
func TestBlind(t *testing.T) {
	long(t)
	public := publicBursts(t)
	simulated := simulatedBursts(t)
	for name, of := range map[string]func(blindLook) []float64{
		"kurtosis":       func(l blindLook) []float64 { return []float64{l.kurt} },
		"crest factor":   func(l blindLook) []float64 { return []float64{l.crest} },
		"slope":          func(l blindLook) []float64 { return []float64{l.tilt} },
		"kurtosis+crest": func(l blindLook) []float64 { return []float64{l.kurt, l.crest} },
		"all three":      func(l blindLook) []float64 { return []float64{l.kurt, l.crest, l.tilt} },
	} {
		auc := told(slices.Concat(public, simulated), of)
		t.Logf("%d public and %d simulated bursts by %s: AUC %.2f", len(public), len(simulated), name, auc)
		if auc >= 0.8 {
			t.Errorf("by %s the bursts are told apart: AUC %.2f", name, auc)
		}
	}
	// The classifier sees a difference where there is one.
	whiter := slices.Clone(simulated)
	for i := range whiter {
		whiter[i].tilt += 2
	}
	if auc := told(slices.Concat(public, whiter), func(l blindLook) []float64 { return []float64{l.kurt, l.crest, l.tilt} }); auc < 0.9 {
		t.Errorf("of a spectrum with another slope AUC %.2f", auc)
	}
	for _, l := range []struct {
		name string
		all  []blindLook
	}{{"public", public}, {"simulated", simulated}} {
		var k, c, s []float64
		for _, x := range l.all {
			k, c, s = append(k, x.kurt), append(c, x.crest), append(s, x.tilt)
		}
		t.Logf("%s: ln kurtosis %v, ln crest %v, slope %v", l.name, quartiles(k), quartiles(c), quartiles(s))
	}
}

func quartiles(x []float64) []string {
	slices.Sort(x)
	var out []string
	for _, q := range []float64{0.05, 0.25, 0.5, 0.75, 0.95} {
		out = append(out, strconv.FormatFloat(x[int(q*float64(len(x)-1))], 'f', 2, 64))
	}
	return out
}

// lookAtBurst measures the first 80 ms of x.
func lookAtBurst(from string, public bool, x []float64, rate float64) (blindLook, bool) {
	n := 1024
	for float64(2*n)/rate < 0.1 {
		n *= 2
	}
	if len(x) < n {
		return blindLook{}, false
	}
	z := make([]complex128, n)
	for i := range z {
		z[i] = complex(x[i], 0)
	}
	vibrationtest.FFT(z)
	var sx, sy, sxx, sxy, m float64
	for k := range z {
		f := float64(min(k, n-k)) * rate / float64(n)
		if f < blindLow || f > blindHigh {
			z[k] = 0
			continue
		}
		if k < n/2 && f >= 100 {
			p := math.Log10(real(z[k])*real(z[k]) + imag(z[k])*imag(z[k]) + 1e-30)
			w := 1 / f // decades count alike
			lf := math.Log10(f)
			m, sx, sy, sxx, sxy = m+w, sx+w*lf, sy+w*p, sxx+w*lf*lf, sxy+w*lf*p
		}
	}
	for k := range z { // back: the transform of the conjugate
		z[k] = complex(real(z[k]), -imag(z[k]))
	}
	vibrationtest.FFT(z)
	var square, fourth, peak float64
	for _, c := range z {
		v := real(c) / float64(n)
		square, fourth, peak = square+v*v, fourth+v*v*v*v, math.Max(peak, math.Abs(v))
	}
	square, fourth = square/float64(n), fourth/float64(n)
	if square < 1e-4 { // it stands
		return blindLook{}, false
	}
	return blindLook{from, public, math.Log(fourth / square / square), math.Log(peak / math.Sqrt(square)), (m*sxy - sx*sy) / (m*sxx - sx*sx)}, true
}

// told is the area under the curve of a classifier that calls a burst by its nearest
// neighbours, never those of the same recording or accelerometer.
func told(all []blindLook, of func(blindLook) []float64) float64 {
	const nearest = 9
	dims := len(of(all[0]))
	spreads := make([]spread, dims)
	for _, l := range all {
		for d, v := range of(l) {
			spreads[d].add(v)
		}
	}
	type near struct {
		d      float64
		public bool
	}
	share := make([]float64, len(all))
	for i, l := range all {
		var ns []near
		for _, o := range all {
			if o.from == l.from {
				continue
			}
			d := 0.0
			for k := range dims {
				e := (of(l)[k] - of(o)[k]) / spreads[k].sd()
				d += e * e
			}
			ns = append(ns, near{d, o.public})
		}
		slices.SortFunc(ns, func(a, b near) int { return int(math.Copysign(1, a.d-b.d)) })
		for _, n := range ns[:nearest] {
			if n.public {
				share[i]++
			}
		}
	}
	right, pairs := 0.0, 0.0
	for i, a := range all {
		for j, b := range all {
			if a.public && !b.public {
				pairs++
				switch {
				case share[i] > share[j]:
					right++
				case share[i] == share[j]:
					right += 0.5
				}
			}
		}
	}
	return right / pairs
}

// publicBursts are some of each recording, evenly.
func publicBursts(t *testing.T) (out []blindLook) {
	t.Helper()
	const perFile = 8
	root := cmp.Or(os.Getenv("MILLWRIGHT_DATA"), filepath.Join("..", "..", "shared", "data"))
	for _, set := range []string{"femto", "cwru_npz"} {
		files, err := filepath.Glob(filepath.Join(root, set, "*.npy"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Skipf("no recordings in %s: MILLWRIGHT_DATA names the folder that holds femto/ and cwru_npz/", filepath.Join(root, set))
		}
		for _, f := range files {
			x, row := npy(t, f)
			rate, take := 25_600.0, perFile
			if set == "cwru_npz" {
				rate, row = 12_000, len(x)/perFile
				if strings.Contains(f, "Normal") {
					rate = 48_000
				}
			} else {
				take = 5 * perFile // there are less of them
			}
			rows := len(x) / row
			for i := range take {
				at := i * rows / take * row
				if l, ok := lookAtBurst(filepath.Base(f), true, x[at:at+row], rate); ok {
					out = append(out, l)
				}
			}
		}
	}
	return out
}

// npy reads an array of one or two dimensions and how long its rows are.
func npy(t *testing.T, path string) (x []float64, row int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 10 || !bytes.HasPrefix(b, []byte("\x93NUMPY\x01\x00")) {
		t.Fatalf("%s: no NumPy array of version 1.0", path)
	}
	end := min(len(b), 10+int(binary.LittleEndian.Uint16(b[8:])))
	body := b[end:]
	m := regexp.MustCompile(`'descr': '<(i2|f4)', 'fortran_order': False, 'shape': \((\d+), ?(\d*)\)`).FindSubmatch(b[10:end])
	if m == nil {
		t.Fatalf("%s: no array of int16 or float32", path)
	}
	if string(m[1]) == "i2" {
		v := make([]int16, len(body)/2)
		if err := binary.Read(bytes.NewReader(body), binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
		for _, e := range v {
			x = append(x, float64(e)*0.002*9.80665)
		}
	} else {
		v := make([]float32, len(body)/4)
		if err := binary.Read(bytes.NewReader(body), binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
		for _, e := range v {
			x = append(x, float64(e)*9.80665)
		}
	}
	row = len(x)
	if len(m[2]) > 0 && len(m[3]) > 0 {
		row, _ = strconv.Atoi(string(m[3]))
	}
	return x, row
}

// simulatedBursts are those of all deep machines, healthy and with spalls of every size.
func simulatedBursts(t *testing.T) (out []blindLook) {
	t.Helper()
	for seed, severity := range []float64{0, 0.05, 0.2, 0.5, 1} {
		m, err := newMill(deep(t), uint64(seed)+31, 1, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range Faults() {
			if severity == 0 || k.Asset == "" || k.Code != "M1" && k.Code != "M2" {
				continue
			}
			if err := m.Inject(Fault{Asset: k.Asset, Name: k.Name, Severity: severity}); err != nil {
				t.Fatal(err)
			}
		}
		var bursts []Burst
		for m.Now() < time.Hour {
			m.Step()
			bursts = m.Bursts(bursts[:0])
			for _, b := range bursts {
				x := make([]float64, 4096)
				for i := range x {
					x[i] = float64(b.Values[i])
				}
				if l, ok := lookAtBurst(b.Path, false, x, b.Rate); ok {
					out = append(out, l)
				}
			}
		}
	}
	return out
}

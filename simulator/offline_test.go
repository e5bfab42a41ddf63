package simulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/simulator/ledger"
)

// The same seed gives the same files bit for bit, another seed others, and the
// log holds every tag at every second.
func TestOfflineIsDeterministic(t *testing.T) {
	const hours = 2
	run := func(seed uint64) (truths, samples []byte) {
		dir := t.TempDir()
		s := &Simulator{Seed: seed, Ledger: filepath.Join(dir, "ledger"), Samples: filepath.Join(dir, "samples")}
		for _, text := range []string{"HSM/FM/F3/GBX:bearing-outer@10m+1h", "HSM/DSC/P1:drift=FLOW@30m+30m"} {
			f, err := ParseFault(text)
			if err != nil {
				t.Fatal(err)
			}
			s.Faults = append(s.Faults, f)
		}
		last := time.Duration(0)
		o := Offline{For: hours * time.Hour, Step: time.Second, Progress: func(d time.Duration) { last = d }}
		if err := s.RunOffline(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if last != o.For {
			t.Errorf("the progress ends at %v", last)
		}
		if err := s.RunOffline(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("a second run into the same files: %v", err)
		}
		return file(t, s.Ledger), file(t, s.Samples)
	}
	l1, s1 := run(7)
	l2, s2 := run(7)
	_, s3 := run(8)
	if !bytes.Equal(l1, l2) || sha256.Sum256(s1) != sha256.Sum256(s2) {
		t.Error("two runs with one seed differ")
	}
	if bytes.Equal(s1, s3) {
		t.Error("two seeds give the same values")
	}
	n := 0
	byTag := map[string]int{}
	for o, err := range ledger.ReadSamples("samples", bytes.NewReader(s1)) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		byTag[o.Tag]++
	}
	if len(byTag) != len(demo(t).Tags) || byTag["SIM/PLANT_TIME"] != hours*3600 {
		t.Errorf("%d tags, %d plant times", len(byTag), byTag["SIM/PLANT_TIME"])
	}
	per := float64(len(s1)) / float64(n)
	t.Logf("%d values of %.2f bytes", n, per)
	if per > 4 {
		t.Errorf("%.2f bytes a value", per)
	}
	episodes, err := ledger.Episodes(ledger.ReadTruths("ledger", bytes.NewReader(l1)))
	if err != nil || len(episodes) != 2 || episodes[0].Worst != 1 || episodes[1].Fault != "drift=FLOW" {
		t.Errorf("%+v, %v", episodes, err)
	}
}

func file(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOfflineEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &Simulator{}
	n := 0
	err := s.RunOffline(ctx, Offline{For: 10_000 * time.Hour, Step: time.Second, Progress: func(time.Duration) { n++; cancel() }})
	if err != nil || n != 1 {
		t.Errorf("%v after %d hours", err, n)
	}
	if err := s.RunOffline(t.Context(), Offline{For: time.Hour, Step: 2 * time.Second}); err == nil || !strings.Contains(err.Error(), "step 2s, allowed is 10ms to 1s") {
		t.Error(err)
	}
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"millwright/collector"
	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator"
	"millwright/simulator/ledger"
)

// TestFigureMill measures the simulated mill, with MILLWRIGHT_FIGURES=1: what
// scoring it takes, how large its sample log is and, with MILLWRIGHT_BINARY, what
// the whole works takes behind its server.
func TestFigureMill(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("MILLWRIGHT_FIGURES is not set")
	}
	works, err := simulator.Reference()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("asset seconds", func(t *testing.T) { figureAssetSeconds(t, works.Deep()) })
	t.Run("bytes", func(t *testing.T) { figureBytes(t, works) })
	t.Run("works", func(t *testing.T) { figureWorks(t, works) })
}

// figureAssetSeconds runs half a plant day on each of two cores, warming up and
// learning included.
func figureAssetSeconds(t *testing.T, deep simulator.Works) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	library, err := config.Classes()
	if err != nil {
		t.Fatal(err)
	}
	var trials []trial
	for seed := range uint64(2) {
		trials = append(trials, trial{simulator.Scenario{Name: fmt.Sprint(seed), Works: deep, Seed: seed + 1, Duration: 12 * time.Hour}, 3 * time.Hour})
	}
	begun := time.Now()
	if _, err := evaluate(t.Context(), trials, library, &meter{}); err != nil {
		t.Fatal(err)
	}
	// Gearbox and gap control of stand F3 are two assets and one of the twelve machines.
	const machines = 12
	if len(deep.Assets) != machines+1 {
		t.Fatalf("%d assets in depth, want %d", len(deep.Assets), machines+1)
	}
	watched := 0.0
	for i := range trials {
		watched += machines * trials[i].Duration.Seconds()
	}
	points := 0
	for i := range deep.Tags {
		if deep.Tags[i].Kind == plant.Burst {
			points++
		}
	}
	fmt.Printf("FIGURE mill.asset_seconds_s %.0f /s\n", watched/time.Since(begun).Seconds())
	t.Logf("%d assets, %d accelerometers", len(deep.Assets), points)
}

func figureBytes(t *testing.T, works simulator.Works) {
	s := &simulator.Simulator{Works: &works, Seed: 1, Samples: filepath.Join(t.TempDir(), "samples")}
	if err := s.RunOffline(t.Context(), simulator.Offline{For: 2 * time.Hour, Step: time.Second}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(s.Samples)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range ledger.ReadSamples(s.Samples, f) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	fmt.Printf("FIGURE mill.ledger_bytes_per_sample %.2f B\n", float64(info.Size())/float64(n))
	t.Logf("%d tags, %d values", len(works.Tags), n)
}

// figureWorks serves the works at the speed of the clock to a collector that
// monitors all of it.
func figureWorks(t *testing.T, works simulator.Works) {
	binary := os.Getenv("MILLWRIGHT_BINARY")
	if binary == "" {
		t.Skip("MILLWRIGHT_BINARY is not set")
	}
	collector.AllowBursts()
	cmd := exec.CommandContext(t.Context(), binary, "sim", "--works", "reference", "--listen", "opc.tcp://127.0.0.1:0", "--samples", filepath.Join(t.TempDir(), "samples"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Cancel(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for i := range works.Tags {
		works.Tags[i].ID = plant.TagID(i + 1)
	}
	ctx, stop := context.WithCancel(t.Context())
	values := make(chan int, 1)
	done := make(chan error, 1)
	values <- 0
	go func() {
		source := &collector.Source{Name: "mill", URL: strings.TrimPrefix(strings.TrimSpace(line), "mill at "), Tags: works.Tags}
		done <- source.Run(ctx, plant.SinkFunc(func(_ context.Context, b plant.Batch) error {
			values <- <-values + len(b.Samples) + len(b.States) + len(b.Waveforms)
			return nil
		}))
	}()
	time.Sleep(20 * time.Second) // until all is monitored and warm
	used, n, begun := cpuOf(t, cmd.Process.Pid), <-values, time.Now()
	values <- n
	time.Sleep(time.Minute)
	share := (cpuOf(t, cmd.Process.Pid) - used).Seconds() / time.Since(begun).Seconds()
	fmt.Printf("FIGURE mill.works_core_pct %.1f %%\n", 100*share)
	fmt.Printf("FIGURE mill.works_rss_mb %.0f MB\n", peakOf(t, cmd.Process.Pid))
	t.Logf("%d tags, %.0f values/s to the collector", len(works.Tags), float64(<-values-n)/time.Since(begun).Seconds())
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// cpuOf is the processor time that a process has used.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		t.Fatalf("%q", b)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peakOf is the peak of a process's resident memory, MB.
func peakOf(t *testing.T, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb / 1024
		}
	}
	t.Fatalf("no VmHWM in %s", b)
	return 0
}

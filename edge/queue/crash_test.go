package queue

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// crashChild appends until it is killed and prints the numbers that are durable.
func crashChild(dir string) {
	q, err := Open(Config{Dir: dir})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("epoch", q.Epoch())
	for i := 0; ; i++ {
		n := make(chan uint64, 1)
		rs, err := q.Append([]Draft{{Lane: Telemetry, Device: "plc", Batch: samples(i*20, 20)}, {Lane: Waveforms, Device: "plc", Batch: wave(5, int64(i), 2000)}}, func(err error) {
			if err == nil {
				fmt.Println("durable", <-n)
			}
		})
		if errors.Is(err, ErrBusy) {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		n <- rs[0].Number
	}
}

// TestKill kills a writing process at random moments: what it called durable is
// there afterwards, whole and once.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	want := map[string]bool{}
	for range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "QUEUE_TEST_CRASH="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var kill *time.Timer
		lines := bufio.NewScanner(out)
		epoch := ""
		for lines.Scan() {
			word, value, _ := strings.Cut(lines.Text(), " ")
			switch word {
			case "epoch":
				epoch = value
			case "durable":
				if kill == nil {
					kill = time.AfterFunc(time.Duration(rand.IntN(250))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				}
				want[epoch+"/"+value] = true
			case "error":
				t.Error(value)
			}
		}
		_ = cmd.Wait()
		if kill == nil {
			t.Fatal("nothing was written")
		}
		kill.Stop()
	}
	if len(want) == 0 {
		t.Fatal("nothing was written")
	}
	q := open(t, Config{Dir: dir})
	seen := map[string]int{}
	for _, r := range all(t, q, Telemetry) {
		seen[fmt.Sprintf("%d/%d", r.Epoch, r.Number)]++
		if len(r.Batch.Samples) != 20 {
			t.Errorf("record %d has %d samples", r.Number, len(r.Batch.Samples))
		}
	}
	waves := map[string]bool{}
	for _, r := range all(t, q, Waveforms) {
		x := r.Batch.Waveforms
		if len(x) != 1 || len(x[0].Values) != 2000 || x[0].Values[8] != float32(x[0].Time/msec)+1 {
			t.Errorf("record %d has a waveform that was not put there", r.Number)
		}
		waves[fmt.Sprintf("%d/%d", r.Epoch, r.Number-1)] = true // its telemetry has the number before
	}
	for key := range want {
		if !waves[key] {
			t.Errorf("the waveform of durable record %s is not there", key)
		}
		if seen[key] != 1 {
			t.Errorf("durable record %s is there %d times", key, seen[key])
		}
	}
	t.Logf("%d durable records over 6 kills, %d found", len(want), len(seen))
}

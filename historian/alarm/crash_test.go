package alarm

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"millwright/plant"
)

// crashChild applies records without end and says which are committed. Record
// n raises alarm n, which is answered at once, and the one before is answered
// anew.
func crashChild(dir string) {
	b, err := Open(dir)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	first, _ := strconv.ParseUint(os.Getenv("ALARM_CRASH_FIRST"), 10, 64)
	for n := first; ; n++ {
		f := finding(fmt.Sprintf("A%06d", n), plant.Raise, int64(n))
		if err := b.Apply(context.Background(), "e", 1, n, []plant.Finding{f}); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		for _, id := range []uint64{n, max(1, n-1)} {
			l := plant.Label{Alarm: int64(id), Verdict: plant.Confirmed, Code: "VIB", Who: "anna", Note: fmt.Sprint("after ", n)}
			if _, err := b.Label(context.Background(), l); err != nil {
				fmt.Println("error", err)
				os.Exit(1)
			}
		}
		fmt.Println(n)
	}
}

// A process killed at any moment loses nothing that it has acknowledged, and
// what it is given again it does not raise twice. An answer is there whole, with
// its entry in the journal, or not at all.
func TestKill(t *testing.T) {
	kills := 12
	if testing.Short() {
		kills = 3
	}
	dir := filepath.Join(t.TempDir(), "alarms")
	acked := uint64(0)
	for range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "ALARM_CRASH_DIR="+dir, fmt.Sprint("ALARM_CRASH_FIRST=", max(1, acked)))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		left := 1 + rand.IntN(20)
		for lines.Scan() {
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatal(lines.Text())
			}
			acked = max(acked, n)
			if left--; left == 0 { // somewhere in the records after this one
				time.AfterFunc(time.Duration(rand.IntN(5000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()

		b, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		spans, err := b.Committed("e", 1)
		if err != nil || len(spans) != 1 || spans[0].First != 1 || spans[0].Last < acked {
			t.Fatalf("acknowledged up to %d, committed %v %v", acked, spans, err)
		}
		alarms, _, err := b.List(t.Context(), plant.AlarmQuery{Limit: maxLimit})
		if err != nil || uint64(len(alarms)) != spans[0].Last {
			t.Fatalf("%d alarms of %d records, %v", len(alarms), spans[0].Last, err)
		}
		slices.SortFunc(alarms, func(a, b plant.Alarm) int { return cmp.Compare(a.ID, b.ID) })
		for i, a := range alarms {
			if want := fmt.Sprintf("A%06d", i+1); a.Finding.Asset != want || a.Count != 1 {
				t.Fatalf("alarm %+v, want %s", a, want)
			}
			if a.ID <= int64(acked) && (a.Label == nil || a.Label.Alarm != a.ID) {
				t.Fatalf("acknowledged up to %d, and alarm %d has the answer %+v", acked, a.ID, a.Label)
			}
		}
		wantLabelsInJournal(t, b)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if acked < uint64(kills) {
		t.Errorf("only %d records in %d runs", acked, kills)
	}
}

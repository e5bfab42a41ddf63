package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// ledgerJSON is what the plant says of an edge: sent, stored, declared.
type ledgerJSON struct {
	At      time.Time
	Classes []struct {
		Name                   string
		Sent, Stored, Declared int64
		UnderWay               int64 `json:"under_way"`
		Lost, Explained        int64
	}
	Loss *struct {
		Reason   string
		From, To time.Time
		Records  int
		Numbers  string
		Values   map[string]int64
	}
	Notes []struct{ Who, Text string }
}

func (a api) ledger() *ledgerJSON {
	var page struct {
		Edges []struct{ Ledger *ledgerJSON }
	}
	if err := a.try("edges", &page); err != nil || len(page.Edges) != 1 {
		return nil
	}
	return page.Edges[0].Ledger
}

// nothingLost fails when sent, stored and declared differ by more than what is under
// way.
func (w *works) nothingLost() {
	w.t.Helper()
	from := time.Now()
	eventually(w.t, 90*time.Second, "the edge says what it has sent", func() bool {
		l := w.api.ledger()
		return l != nil && l.At.After(from)
	})
	l := w.api.ledger()
	if l.Loss != nil {
		w.t.Errorf("the ledger has a loss: %+v in %+v", *l.Loss, l.Classes)
	}
	for _, a := range w.api.alarms() {
		if strings.HasPrefix(a.Title, "Values lost") {
			w.t.Errorf("the ledger has raised an alarm: %+v", a)
		}
	}
	for _, c := range l.Classes {
		w.t.Logf("%s: %d sent, %d stored, %d declared, %d under way, %d lost", c.Name, c.Sent, c.Stored, c.Declared, c.UnderWay, c.Lost)
	}
}

// lossAlarm is the alarm of the ledger, nil where there is none.
func (w *works) lossAlarm() *alarmJSON {
	for _, a := range w.api.alarms() {
		if strings.HasPrefix(a.Title, "Values lost") {
			return &a
		}
	}
	return nil
}

// TestLedger kills edge and plant, and then loses records in earnest: one in the
// queue of the edge, others in the store of the plant. Only those are a difference,
// with an alarm that says how much of what, and that an engineer's note ends.
func TestLedger(t *testing.T) {
	t.Parallel()
	w := newWorks(t)
	w.startAll()
	for range 2 {
		w.edge.kill()
		w.startEdge()
		w.waitLive(60 * time.Second)
		w.plant.kill()
		w.startPlant()
		w.waitLive(60 * time.Second)
	}
	w.drained(60 * time.Second)
	w.nothingLost()
	eventually(t, 30*time.Second, "the plant's metrics say that the PLC is live", func() bool {
		return w.api.metric(`edge_plc_state{edge="hsm",plc="mill",state="Live"}`) == 1 &&
			w.api.metric(`edge_plc_state_info{edge="hsm",plc="mill",reason="",state="Live"}`) == 1 &&
			w.api.metric(`edge_plc_state{edge="hsm",plc="mill",state="Down"}`) == 0
	})

	// A record that the edge's disk has lost.
	w.plant.stop()
	time.Sleep(3 * time.Second) // a queue
	w.edge.kill()
	destroyRecord(t, filepath.Join(w.dir, "edge", "queue"))
	w.startPlant()
	w.startEdge()
	w.waitLive(60 * time.Second)
	w.loss("missing", 1)
	out, err := exec.Command(binary, "doctor", "edge", "hsm", "--url", w.api.base).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("the edge does not hold them any more")) || !bytes.Contains(out, []byte("next:")) {
		t.Errorf("doctor edge: %v\n%s", err, out)
	}
	w.explain("the disk was tampered with")

	// A store that was put back from a backup.
	w.edge.stop()
	w.plant.stop()
	dir := filepath.Join(w.dir, "historian", "store")
	if err := os.CopyFS(dir+".backup", os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	w.startPlant()
	w.startEdge()
	w.waitLive(60 * time.Second)
	time.Sleep(3 * time.Second)
	w.drained(60 * time.Second)
	w.edge.stop() // says goodbye when all is stored
	w.plant.stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".backup", dir); err != nil {
		t.Fatal(err)
	}
	w.startPlant()
	w.startEdge()
	w.waitLive(60 * time.Second)
	w.loss("", 1)
	w.explain("put back from the backup of noon")
}

// loss waits for a difference of a reason, and for its alarm.
func (w *works) loss(reason string, least int) {
	w.t.Helper()
	var l *ledgerJSON
	eventually(w.t, 90*time.Second, "the loss is seen", func() bool {
		l = w.api.ledger()
		return l != nil && l.Loss != nil && l.Loss.Values["measured"] > 0
	})
	if l.Loss.Records < least || reason != "" && l.Loss.Reason != reason || l.Loss.Numbers == "" || l.Loss.To.Before(l.Loss.From) {
		w.t.Errorf("%+v", *l.Loss)
	}
	w.t.Logf("lost: %+v", *l.Loss)
	eventually(w.t, 30*time.Second, "the loss is an alarm", func() bool {
		a := w.lossAlarm()
		return a != nil && (a.State == "unacked" || a.State == "acked") && a.Class == "system" && a.Asset == "Works/hsm"
	})
}

// explain lets an engineer say why something is lost, and waits for the alarm to return.
func (w *works) explain(note string) {
	w.t.Helper()
	res, err := http.Post(w.api.base+"/api/v1/edges/hsm/explain", "application/json", strings.NewReader(fmt.Sprintf(`{"note":%q}`, note)))
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("explain: %s", res.Status)
	}
	eventually(w.t, 30*time.Second, "the alarm returns", func() bool {
		a := w.lossAlarm()
		return a != nil && a.Returned != nil
	})
	if l := w.api.ledger(); l == nil || l.Loss != nil || len(l.Notes) == 0 || l.Notes[0].Text != note {
		w.t.Errorf("%+v", l)
	}
}

// destroyRecord takes one telemetry record off an edge's queue, as a bad disk would.
func destroyRecord(t *testing.T, dir string) {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatTableFormatV6})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{'r', 1}, UpperBound: []byte{'r', 2}})
	if err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	for it.First(); it.Valid(); it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if len(keys) < 5 {
		t.Fatalf("only %d records are queued", len(keys))
	}
	key := keys[len(keys)/2]
	if err := db.Delete(key, pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

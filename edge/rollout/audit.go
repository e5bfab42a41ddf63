package rollout

import (
	"encoding/json"
	"errors"
	"os"
	"time"

	"millwright/models/bundle"
	"millwright/plant"
)

const (
	auditFile = "audit.jsonl"
	auditMax  = 1 << 20 // bytes; one file as large is kept beside it
	whyMax    = 2000    // bytes
	maxMarks  = 1000
)

// audit is a file of lines. A line is on disk when write returns.
type audit struct {
	name string
}

// line is what happened.
type line struct {
	Time   string `json:"time"`             // RFC 3339, UTC
	Action string `json:"action"`           // "promote", "shadow", "unshadow", "demote", "fallback", "refuse", "trust"
	Bundle string `json:"bundle,omitempty"` // empty: the repository itself
	Asset  string `json:"asset,omitempty"`
	Why    string `json:"why,omitempty"`
}

func (l *audit) write(at time.Time, n line) error {
	n.Time = at.UTC().Format("2006-01-02T15:04:05.000Z")
	if len(n.Why) > whyMax {
		n.Why = n.Why[:whyMax]
	}
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if st, err := os.Stat(l.name); err == nil && st.Size() > auditMax {
		if err := os.Rename(l.name, l.name+".old"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(l.name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(appendLine(f, b), f.Sync(), f.Close())
}

// appendLine also ends a line that a power cut has left open.
func appendLine(f *os.File, b []byte) error {
	end, err := f.Seek(0, 2)
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if end > 0 {
		if _, err := f.ReadAt(last, end-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		b = append([]byte{'\n'}, b...)
	}
	_, err = f.Write(append(b, '\n'))
	return err
}

// note writes a line. One that cannot be written goes to the log alone: the
// models must not stop for it.
func (a *Agent) note(action, id, asset, why string) {
	a.Log.Info("models: "+action, "bundle", id, "asset", asset, "why", why)
	if err := a.audit.write(a.now(), line{Action: action, Bundle: id, Asset: asset, Why: why}); err != nil {
		a.Log.Error("models: audit line not written", "err", err)
	}
}

// refuse notes that a bundle is refused, and returns what the status says of it.
func (a *Agent) refuse(id, asset string, err error) string {
	a.Log.Warn("models: refused", "bundle", id, "asset", asset, "err", err)
	if err := a.audit.write(a.now(), line{Action: "refuse", Bundle: id, Asset: asset, Why: err.Error()}); err != nil {
		a.Log.Error("models: audit line not written", "err", err)
	}
	if id == "" {
		return err.Error()
	}
	return id + ": " + err.Error()
}

// distrust tells once that the repository gave something that is not to be
// trusted; the same bytes are not told again.
func (a *Agent) distrust(id, asset string, err *bundle.Refused) {
	if !a.marks[err.Mark] {
		if a.marks == nil || len(a.marks) > maxMarks {
			a.marks = map[string]bool{}
		}
		a.marks[err.Mark] = true
		a.refuse(id, asset, err)
	}
	if !a.told {
		a.told = true
		a.tell(plant.Raise)
	}
}

// trust ends the finding.
func (a *Agent) trust() {
	clear(a.marks)
	if a.told {
		a.told = false
		a.note("trust", "", "", "the repository is good again")
		a.tell(plant.Clear)
	}
}

func (a *Agent) tell(phase plant.Phase) {
	if a.Tell != nil {
		a.Tell(plant.Finding{
			Asset: a.Edge, Key: "models", Kind: plant.KindModel, Class: plant.SystemFault, Phase: phase,
			Detector: "rollout", Priority: 3, Time: plant.Millis(a.now().UnixNano()),
		})
	}
}

package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// alarmsSuffix names the file beside the state file that holds the conditions
// that the plant may have open. It has a life of its own: a PLC may have no alarms,
// and the state file is written far more often.
const alarmsSuffix = ".alarms"

// openFile is its name, empty where nothing is kept.
func (s *Source) openFile() string {
	if s.StateFile == "" {
		return ""
	}
	return s.StateFile + alarmsSuffix
}

// openCondition is one of them.
type openCondition struct {
	Asset string `json:"asset"`
	Key   string `json:"key"`
	Time  int64  `json:"time"` // ns UTC, of what was told of it last
}

// alarmsFile is that file.
type alarmsFile struct {
	keeper  *keeper
	version uint64 // handed to the keeper last
	need    uint64 // must be on disk before anything is acknowledged
	dirty   bool   // the conditions are not as the version has them
}

// load takes up what a process before this one left.
func (c *alarms) load(name string) error {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := decodeOpen(b, c.prefix())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, o := range list {
		f := plant.Finding{Asset: o.Asset, Key: o.Key, Kind: plant.KindPLCAlarm, Class: plant.PLCAlarm, Detector: string(plant.PLCAlarm),
			Phase: plant.Raise, Time: o.Time, Priority: 4}
		if o.Key == c.prefix()+floodKey {
			f.Kind, c.flood = plant.KindPLCFlood, f
			continue
		}
		c.known[bookKey(&f)] = &condition{now: f, told: f}
	}
	return nil
}

// decodeOpen reads what appendOpen wrote; all keys begin with the prefix.
func decodeOpen(b []byte, prefix string) ([]openCondition, error) {
	var list []openCondition
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	for _, o := range list {
		if !strings.HasPrefix(o.Key, prefix) || o.Asset == "" || o.Time < 0 {
			return nil, fmt.Errorf("the entry of %.80q makes no sense", o.Key)
		}
	}
	return list, nil
}

// appendOpen writes all that the plant may have open.
func (c *alarms) appendOpen(b []byte) []byte {
	list := []openCondition{}
	for _, which := range slices.Sorted(maps.Keys(c.known)) {
		k := c.known[which]
		list = append(list, openCondition{k.now.Asset, k.now.Key, max(k.now.Time, k.told.Time)})
	}
	for _, g := range c.going {
		list = append(list, g.openCondition)
	}
	if c.flood.Phase != "" {
		list = append(list, openCondition{c.flood.Asset, c.flood.Key, c.flood.Time})
	}
	j, err := json.Marshal(list)
	if err != nil { // texts and numbers only
		return append(b, "[]"...)
	}
	return append(append(b, j...), '\n')
}

// keepAlarms lets the file follow the conditions: at once where one was opened
// or has ended, and again when its end is durable.
func (e *engine) keepAlarms() {
	c := e.alarms
	committed, n := e.src.committed.Load(), len(c.going)
	for i := range c.going {
		if c.going[i].batch == 0 {
			c.going[i].batch = e.wrote
		}
	}
	c.going = slices.DeleteFunc(c.going, func(g going) bool { return g.batch <= committed })
	if !c.file.dirty && n == len(c.going) {
		return
	}
	c.file.version++
	if c.file.dirty {
		c.file.need, c.file.dirty = c.file.version, false
	}
	c.file.keeper.put(c.appendOpen, c.file.version)
	e.src.board.update(false, func(s *plant.PLCStatus) { s.Conditions = len(c.known) })
}

// watchAlarms does what the PLC's alarms need by time.
func (p *pump) watchAlarms(ctx context.Context, now time.Time) error {
	p.askRefresh(ctx, now)
	p.tr.begin()
	p.alarms.due(&p.tr.batch, now)
	if !p.tr.batch.Empty() {
		if err := p.write(ctx); err != nil {
			return err
		}
	}
	p.keepAlarms()
	return nil
}

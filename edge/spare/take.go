package spare

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millwright/collector"
	"millwright/edge/queue"
	"millwright/plant"
	"millwright/plant/checkpoint"
	"millwright/plant/config"
)

// Names of files in a checkpoint and in the data folder of an edge.
const (
	configFile = "config/edge.toml"
	stateFile  = "models.state"
	bdSeqFile  = "bdseq"
	modelsDir  = "models"
)

// Box is an edge as its checkpoint describes it.
type Box struct {
	Group, Edge string // Sparkplug identity
	Name        string // of the box
	Program     string
	Config      string        // file
	Files       []config.File // that it names
	Data        string        // folder
	PLCs        []string
	PKI         []string // folders of certificates
	Queue       *queue.Queue
}

// Take reads what another box needs to take this one's place.
func (b *Box) Take(now time.Time) (*checkpoint.Checkpoint, error) {
	c := &checkpoint.Checkpoint{Manifest: checkpoint.Manifest{
		Group: b.Group, Edge: b.Edge, Box: b.Name, Program: b.Program,
		Created: plant.Millis(now.UnixNano()), Epoch: b.Queue.Epoch(), Oldest: b.Queue.Stats().Oldest,
	}}
	devices := b.Queue.Devices()
	for _, device := range slices.Sorted(maps.Keys(devices)) {
		for _, t := range devices[device] {
			c.Tags = append(c.Tags, checkpoint.Tag{Device: device, Tag: t})
		}
	}
	if err := b.takeConfig(c); err != nil {
		return nil, err
	}
	names := []string{stateFile, bdSeqFile, modelsDir + "/applied.json", modelsDir + "/orders.json"}
	for _, plc := range b.PLCs {
		base := filepath.Base(collector.StateFileOf(b.Data, plc))
		names = append(names, base, base+".alarms", base+".identity")
	}
	for _, name := range names {
		if err := take(c, "data/"+name, filepath.Join(b.Data, name)); err != nil {
			return nil, err
		}
	}
	for _, dir := range b.PKI {
		if err := take(c, "data/pki/clock", filepath.Join(dir, "clock")); err != nil {
			return nil, err
		}
		for _, place := range []string{"trusted", "issuers"} {
			files, err := os.ReadDir(filepath.Join(dir, place))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for _, f := range files {
				if !f.Type().IsRegular() {
					continue
				}
				if err := take(c, "data/pki/"+place+"/"+f.Name(), filepath.Join(dir, place, f.Name())); err != nil {
					return nil, err
				}
			}
		}
	}
	return c, nil
}

// take puts a file in, where there is one.
func take(c *checkpoint.Checkpoint, name, file string) error {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c.Add(name, raw)
	return nil
}

// takeConfig puts the configuration in, with the files that it names. Those that
// lie elsewhere get another place, and the configuration another word for it.
func (b *Box) takeConfig(c *checkpoint.Checkpoint) error {
	raw, err := os.ReadFile(b.Config)
	if err != nil {
		return err
	}
	text := string(raw)
	dir := filepath.Dir(b.Config)
	moved := map[string]string{} // text → text
	for _, f := range b.Files {
		if !strings.HasPrefix(f.Key, "edge.") && !strings.HasPrefix(f.Key, "plc[") {
			continue
		}
		name, err := filepath.Rel(dir, f.Path)
		if name = filepath.ToSlash(name); err != nil || !filepath.IsLocal(f.Text) || !filepath.IsLocal(name) {
			if f.Text != f.Path && strings.ContainsAny(f.Text, "*?[") {
				return fmt.Errorf("%s: %s is a pattern outside the folder of %s: a spare would not know where to put the files; write it relative to the file", f.Key, f.Text, b.Config)
			}
			if moved[f.Text] == "" {
				moved[f.Text] = fmt.Sprintf("files/%d-%s", len(moved)+1, filepath.Base(f.Path))
			}
			name = moved[f.Text]
		}
		if f.Own {
			c.Secrets = append(c.Secrets, checkpoint.Secret{Key: f.Key, Name: name})
			continue
		}
		if err := take(c, "config/"+name, f.Path); err != nil {
			return err
		}
	}
	for from, to := range moved {
		text = strings.NewReplacer(`"`+from+`"`, `"`+to+`"`, `'`+from+`'`, `"`+to+`"`).Replace(text)
	}
	c.Add(configFile, []byte(text))
	return nil
}

// lasting is a sum over what changes seldom: a change of it is worth a checkpoint
// of its own.
func lasting(c *checkpoint.Checkpoint) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintln(h, c.Tags, c.Secrets)
	for _, f := range c.Files {
		if !strings.HasSuffix(f.Name, "/"+stateFile) && !strings.HasSuffix(f.Name, ".subscription") {
			fmt.Fprintln(h, f.Name, f.SHA256)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

package e2e

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// press is an OPC UA server whose values the test writes and which remembers what
// it has offered.
type press struct {
	*server.Server
	ahead time.Duration // how far its values lie in the future

	mu  sync.Mutex
	log map[string]map[int64]cell
}

// newPress serves tags of pumps, eight a pump, on the works' OPC UA port, and lets
// the edge watch them. The models learn longer than any test takes.
func newPress(t *testing.T, w *works, pumps int) *press {
	t.Helper()
	var tags, machines strings.Builder
	tags.WriteString("path,node,unit,low,high,resolution\n")
	p := &press{log: map[string]map[int64]cell{}}
	var vars []server.Variable
	for a := range pumps {
		fmt.Fprintf(&machines, "[[asset]]\npath = \"P/A%04d\"\nname = \"Pump %d\"\nclass = \"pump\"\n[asset.model]\nlearn = \"60d\"\n", a, a)
		for k := range 8 {
			path := fmt.Sprintf("P/A%04d/T%d", a, k)
			vars = append(vars, server.Variable{Path: path, Unit: "bar"})
			fmt.Fprintf(&tags, "%s,nsu=%s;s=%s,bar,-10,10,0.0001\n", path, server.Namespace, path)
		}
	}
	tagFile, assetFile := filepath.Join(w.dir, "tags.csv"), filepath.Join(w.dir, "assets.toml")
	writeFile(t, tagFile, tags.String())
	writeFile(t, assetFile, machines.String())
	w.watch(tagFile, assetFile)
	w.press = p
	p.Server = &server.Server{Listen: fmt.Sprintf("127.0.0.1:%d", w.opc), Variables: vars, Offered: p.note}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func (p *press) note(vals []server.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range vals {
		path := p.Variables[v.Var].Path
		tag := p.log[path]
		if tag == nil {
			tag = map[int64]cell{}
			p.log[path] = tag
		}
		tag[v.Time/int64(time.Millisecond)] = cell{v.Number, v.Quality}
	}
}

func (p *press) offered() map[string]map[int64]cell {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]map[int64]cell, len(p.log))
	for path, tag := range p.log {
		out[path] = maps.Clone(tag)
	}
	return out
}

// feed writes values of all tags at a rate until stop is closed: each tag perSecond
// times a second.
func (p *press) feed(perSecond int, stop <-chan struct{}) {
	const parts = 5
	n := len(p.Variables)
	tick := time.NewTicker(time.Second / time.Duration(perSecond*parts))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			p.Write(wave(n, parts, i, now))
		}
	}
}

// wave is the values of every parts-th tag at step i.
func wave(n, parts, i int, now time.Time) (vals []server.Value) {
	at := plant.Millis(now.UnixNano())
	for v := i % parts; v < n; v += parts {
		x := math.Sin(float64(i)/70+float64(v/8)) + 0.1*math.Sin(float64(i*(v%8+1)))
		vals = append(vals, server.Value{Var: v, Time: at, Number: math.Round(x*1e4) / 1e4})
	}
	return vals
}

package e2e

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// TestR16Stamps offers values twice, late by up to seven days, in any order and from
// the future (R16): each is stored once, under the time that it has.
func TestR16Stamps(t *testing.T) {
	n := times(t, 3)
	t.Parallel()
	l := newLine(t)
	p := newPress(t, l.works, 4)
	p.ahead = time.Hour
	l.startBroker()
	l.startPlant()
	l.startEdge()
	l.waitLive(60 * time.Second)
	for range n {
		var vals []server.Value
		for v := range p.Variables {
			at := func(d time.Duration) server.Value {
				return server.Value{Var: v, Time: plant.Millis(time.Now().Add(d).UnixNano()), Number: float64(rand.IntN(1000))}
			}
			now := at(0)
			vals = append(vals, now, now, at(-rand.N(7*24*time.Hour)), at(-rand.N(time.Minute)), at(10*time.Minute+rand.N(time.Minute)))
		}
		rand.Shuffle(len(vals), func(i, j int) { vals[i], vals[j] = vals[j], vals[i] })
		for part := range slices.Chunk(vals, 16) {
			p.Write(part)
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Second)
	}
	l.well(n, 60*time.Second)
}

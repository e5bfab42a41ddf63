package machine

import (
	"testing"

	"millwright/simulator/production"
)

func BenchmarkUtilities(b *testing.B) {
	f := func(name string, make func(w *production.World, l *production.Strip, t *production.RunOut) Machine) {
		b.Run(name, func(b *testing.B) {
			w, l := production.NewWorld(1), production.NewStrip(1)
			t := production.NewRunOut(l)
			m := make(w, l, t)
			for i := range 4000 {
				w.Step(float64(i), 1)
				l.Step(1)
				t.Step(1)
			}
			b.ReportAllocs()
			for b.Loop() {
				l.Step(1)
				t.Step(1)
				m.Step(1)
			}
		})
	}
	f("agc", func(w *production.World, l *production.Strip, _ *production.RunOut) Machine { return NewAGC(1, w, l) })
	f("run-out", func(w *production.World, _ *production.Strip, t *production.RunOut) Machine {
		return NewRunOut(1, w, t)
	})
	f("water", func(w *production.World, l *production.Strip, _ *production.RunOut) Machine { return NewWater(1, w, l) })
	f("air", func(w *production.World, l *production.Strip, _ *production.RunOut) Machine { return NewAir(1, w, l) })
	f("strip alone", func(*production.World, *production.Strip, *production.RunOut) Machine { return nothing{} })
}

type nothing struct{ Machine }

func (nothing) Step(float64) {}

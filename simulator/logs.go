package simulator

import (
	"errors"
	"fmt"

	"millwright/plant"
	"millwright/simulator/ledger"
	"millwright/simulator/server"
)

// logs are the files of a run, nil where they are not written.
type logs struct {
	truths  *ledger.Truths
	samples *ledger.Samples
	vals    []ledger.Value // reused
}

// openLogs opens the files that have a path, to be continued.
func openLogs(truths, samples string, tags []plant.Tag) (*logs, error) {
	l := &logs{}
	var err error
	if truths != "" {
		if l.truths, err = ledger.OpenTruths(truths); err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
	}
	if samples != "" {
		if l.samples, err = ledger.OpenSamples(samples, tags); err != nil {
			return nil, errors.Join(fmt.Errorf("samples: %w", err), l.close())
		}
	}
	return l, nil
}

// broken reports whether one of them cannot be written; close says why.
func (l *logs) broken() bool {
	return l.truths != nil && l.truths.Broken() || l.samples != nil && l.samples.Broken()
}

func (l *logs) close() error {
	var errs []error
	if l.truths != nil {
		errs = append(errs, l.truths.Close())
	}
	if l.samples != nil {
		errs = append(errs, l.samples.Close())
	}
	return errors.Join(errs...)
}

// truth writes a change of severity.
func (l *logs) truth(t Truth) {
	if l.truths != nil {
		l.truths.Write(t)
	}
}

// offered writes what a server has offered. Only one goroutine calls it at a time.
func (l *logs) offered(vals []server.Value) {
	if l.samples == nil {
		return
	}
	l.vals = l.vals[:0]
	for i := range vals {
		v := &vals[i]
		if v.Wave != nil {
			continue // a server makes its values only for those who ask
		}
		l.vals = append(l.vals, ledger.Value{Tag: v.Var, Time: v.Time, Quality: v.Quality, Number: v.Number, Text: v.Text})
	}
	l.samples.Write(l.vals)
}

// recorded writes bursts by the root mean square of their values, all at one time.
func (l *logs) recorded(bursts []Burst, now int64) {
	if l.samples == nil || len(bursts) == 0 {
		return
	}
	l.vals = l.vals[:0]
	for i := range bursts {
		b := &bursts[i]
		l.vals = append(l.vals, ledger.Value{Tag: b.Variable, Time: now, Number: b.RMS()})
	}
	l.samples.Write(l.vals)
}

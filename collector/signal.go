package collector

import "sync"

// signal is a channel that is made at first use. One that is not taken yet
// stands for all.
type signal struct {
	once sync.Once
	ch   chan struct{}
}

func (s *signal) channel() chan struct{} {
	s.once.Do(func() { s.ch = make(chan struct{}, 1) })
	return s.ch
}

func (s *signal) give() {
	select {
	case s.channel() <- struct{}{}:
	default:
	}
}

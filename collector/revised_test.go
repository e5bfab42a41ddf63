package collector

import (
	"reflect"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// TestRevised: what the server grants otherwise than asked is counted and shown.
func TestRevised(t *testing.T) {
	t.Parallel()
	m := newMill(t, 30, func(s *server.Server) {
		s.Limits.MaxQueue, s.Limits.MinSampling = 20, 200*time.Millisecond
		s.Variables[28].Low, s.Variables[28].High = -50, 150
	})
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: m.URL(), Tags: m.tags(), Log: log}
	for i := range s.Tags {
		s.Tags[i].Sampling = 100 * time.Millisecond
		if i >= 25 {
			s.Tags[i].Sampling, s.Tags[i].Queue = time.Second, 5
		}
	}
	s.Tags[28].Deadband, s.Tags[28].DeadbandPercent = 1, true
	s.Tags[29].Deadband, s.Tags[29].DeadbandPercent = 1, true
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	st := s.Status()
	want := plant.RevisedTag{Tag: "A/T0", SamplingMS: 100, GrantedSamplingMS: 200, Queue: 101, GrantedQueue: 20}
	if st.RevisedCount != 26 || len(st.Revised) != mostRevised || st.Revised[0] != want {
		t.Errorf("%d, %+v", st.RevisedCount, st.Revised)
	}
	if want := (plant.Deadbands{Server: 1, None: 1}); !reflect.DeepEqual(st.Deadbands, want) {
		t.Errorf("%+v", st.Deadbands)
	}
	if said("the server grants less than was asked sampled_more_slowly=25 shorter_queues=25") != 1 || said("percent of an unknown range") != 1 {
		t.Error("it is not said once")
	}
	m.run(50*time.Millisecond, 1)
	eventually(t, 5*time.Second, "values of the tag without a range", func() bool {
		out.mu.Lock()
		defer out.mu.Unlock()
		n := 0
		for k := range out.facts {
			if k.tag == 30 {
				n++
			}
		}
		return n > 2
	})
}

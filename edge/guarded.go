package edge

import "millwright/models/detect"

// Guarded is the asset models behind the lock that samples take: who changes
// which model runs never meets a row half judged.
type Guarded struct {
	agent *Agent
	set   *detect.Set
}

// Guard puts the models that a.Detector is behind the agent's lock.
func (a *Agent) Guard(set *detect.Set) *Guarded { return &Guarded{agent: a, set: set} }

func (g *Guarded) locked(f func() error) error {
	g.agent.mu.Lock()
	defer g.agent.mu.Unlock()
	return f()
}

// Check, Shadow, Unshadow, Promote, Demote and Trained are those of detect.Set.
func (g *Guarded) Check(t *detect.Trained) error {
	return g.locked(func() error { return g.set.Check(t) })
}

// Shadow runs a trained model beside what runs.
func (g *Guarded) Shadow(t *detect.Trained) error {
	return g.locked(func() error { return g.set.Shadow(t) })
}

// Unshadow ends that.
func (g *Guarded) Unshadow(asset string) {
	_ = g.locked(func() error { g.set.Unshadow(asset); return nil })
}

// Promote lets a trained model judge.
func (g *Guarded) Promote(t *detect.Trained) error {
	return g.locked(func() error { return g.set.Promote(t) })
}

// Demote goes back to what the edge has learned.
func (g *Guarded) Demote(asset string) error {
	return g.locked(func() error { return g.set.Demote(asset) })
}

// Trained says what runs.
func (g *Guarded) Trained() []detect.TrainedStatus {
	g.agent.mu.Lock()
	defer g.agent.mu.Unlock()
	return g.set.Trained()
}

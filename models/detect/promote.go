package detect

import (
	"errors"
	"fmt"

	"millwright/plant"
)

// ErrFit is the reason of every trained model that an asset here cannot run.
var ErrFit = errors.New("trained model does not fit")

// TrainedStatus is what an asset runs of trained models.
type TrainedStatus struct {
	Asset    string
	Running  string    // id of a bundle, or plant.LearnedModel
	Shadow   string    // id of a bundle, or empty
	Fallback *Fallback // the bundle that was dropped last, since the last Promote or Shadow
	Scored   uint64    // rows that the running bundle has scored
	Shadowed uint64    // rows that the shadow bundle has scored
	Missed   uint64    // rows since the last Promote that lack a score that the model before would have given
}

// maxID bounds the id of a bundle.
const maxID = 200

// Check says whether the asset here can run the trained model: nil, or an error
// that names everything that does not fit.
func (s *Set) Check(t *Trained) error {
	_, err := s.fits(t)
	return err
}

// Shadow runs a trained model beside the one that judges. It tells $SHADOW and
// $WOULD and never a finding. The Set keeps t; nobody may change it any more.
func (s *Set) Shadow(t *Trained) error {
	m, err := s.fits(t)
	if err != nil {
		return err
	}
	m.startShadow(t)
	return nil
}

// Unshadow takes the shadow model of an asset away, where there is one.
func (s *Set) Unshadow(asset string) {
	if m := s.find(asset); m != nil {
		m.unshadow()
	}
}

// Promote lets a trained model take over from what judges the asset now, mode by
// mode: the one before goes on until the window of the new one is full, so that
// no row is without a score. In modes that t does not name, what the asset has
// learned judges. The Set keeps t; nobody may change it any more.
//
// A trained model that fails is dropped, with a finding and Fallback, and what
// the asset has learned takes its place.
func (s *Set) Promote(t *Trained) error {
	m, err := s.fits(t)
	if err != nil {
		return err
	}
	m.promote(t)
	return nil
}

// Demote lets what the asset has learned take over again, in the same way. In a
// mode that is not learned yet the trained model stops at once.
func (s *Set) Demote(asset string) error {
	m := s.find(asset)
	if m == nil {
		return fmt.Errorf("%w: no asset %q here", ErrFit, asset)
	}
	m.demote()
	return nil
}

// Trained lists the assets that run a trained model, shadow one, or have dropped
// one.
func (s *Set) Trained() []TrainedStatus {
	var out []TrainedStatus
	for i := range s.machines {
		m := &s.machines[i]
		x := &m.trial
		if x.running == plant.LearnedModel && x.shadow == "" && x.fallback == nil {
			continue
		}
		st := TrainedStatus{
			Asset: m.asset.Path, Running: x.running, Shadow: x.shadow,
			Scored: x.scored, Shadowed: x.shadowed, Missed: x.missed,
		}
		if x.fallback != nil {
			f := *x.fallback
			st.Fallback = &f
		}
		out = append(out, st)
	}
	return out
}

func (s *Set) find(asset string) *machine {
	for i := range s.machines {
		if s.machines[i].asset.Path == asset {
			return &s.machines[i]
		}
	}
	return nil
}

// fits is the machine that can run t.
func (s *Set) fits(t *Trained) (*machine, error) {
	if t == nil {
		return nil, fmt.Errorf("%w: there is none", ErrFit)
	}
	m := s.find(t.Asset)
	if m == nil {
		return nil, fmt.Errorf("%w: %s: no asset %q here", ErrFit, t.ID, t.Asset)
	}
	if faults := m.misfits(t); len(faults) > 0 {
		return nil, fmt.Errorf("%w: %s: %w", ErrFit, t.ID, errors.Join(faults...))
	}
	return m, nil
}

// misfits lists what keeps a trained model from running on the asset.
func (m *machine) misfits(t *Trained) (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if t.ID == "" || len(t.ID) > maxID || t.ID == plant.LearnedModel {
		fault("id %q: 1 to %d bytes, not %q", t.ID, maxID, plant.LearnedModel)
	}
	if m.asset.Model.Off {
		fault("the model of asset %s is off", m.asset.Path)
	}
	if t.Grid != m.grid {
		fault("rows of %v, asset %s has rows of %v", t.Grid, m.asset.Path, m.grid)
	}
	if len(t.Modes) == 0 {
		fault("names no mode")
	}
	room := maxModes - len(m.modes.names)
	for i := range t.Modes {
		d := &t.Modes[i]
		mode := fmt.Sprintf("mode %q", d.Mode)
		if t.find(d.Mode) != d {
			fault("%s: named twice", mode)
			continue
		}
		known := m.modes.find(d.Mode)
		switch {
		case d.Mode == "":
			fault("a mode without a name")
		case known != unknown && m.modes.idle[known]:
			fault("%s: the machine stands, nothing is judged", mode)
		case known == unknown && m.modes.tag < 0:
			fault("%s: asset %s has no such mode", mode, m.asset.Path)
		case known == unknown:
			if room--; room < 0 {
				fault("%s: asset %s has no room for more than %d modes", mode, m.asset.Path, maxModes)
			}
		}
		seen := make(map[string]bool)
		for _, path := range d.Tags {
			switch i := m.watched(path); {
			case i < 0:
				fault("%s: tag %q is not watched by asset %s", mode, path, m.asset.Path)
			case !sameUnit(t.Units[path], m.slots[i].tag.Unit):
				fault("%s: tag %q was trained in %s and is in %s here", mode, path, t.Units[path], m.slots[i].tag.Unit)
			}
			if seen[path] {
				fault("%s: tag %q: named twice", mode, path)
			}
			seen[path] = true
		}
		if err := d.check(); err != nil {
			fault("%s: %w", mode, err)
		}
	}
	return faults
}

// sameUnit says whether two units may be one. A unit that nobody has said is no
// contradiction.
func sameUnit(a, b string) bool { return a == b || a == "" || b == "" }

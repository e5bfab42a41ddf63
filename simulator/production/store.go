package production

// stored is a coil in a store.
type stored struct {
	id    string
	since float64 // s of the store's time
}

// Store keeps coils between two lines. They leave in the order in which they came, and
// not before they have cooled.
type Store struct {
	cooling float64 // s
	most    int     // coils; what does not fit is sold, the oldest first
	now     float64 // s
	coils   []stored
}

// NewStore is empty.
func NewStore(cooling float64, most int) *Store { return &Store{cooling: cooling, most: most} }

// Stock puts in coils that are cool.
func (s *Store) Stock(ids ...string) {
	for _, id := range ids {
		s.put(stored{id, s.now - s.cooling})
	}
}

// Put takes a coil from a line.
func (s *Store) Put(id string) { s.put(stored{id, s.now}) }

func (s *Store) put(c stored) {
	if s.coils = append(s.coils, c); len(s.coils) > s.most {
		s.coils = append(s.coils[:0], s.coils[1:]...)
	}
}

// Ready is the number of coils that have cooled.
func (s *Store) Ready() int {
	n := 0
	for n < len(s.coils) && s.now-s.coils[n].since >= s.cooling {
		n++
	}
	return n
}

// Take gives the oldest coil, which must be ready.
func (s *Store) Take() string {
	id := s.coils[0].id
	s.coils = append(s.coils[:0], s.coils[1:]...)
	return id
}

// Step moves time on.
func (s *Store) Step(dt float64) { s.now += dt }

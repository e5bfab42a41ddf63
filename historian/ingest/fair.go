package ingest

import "sync"

// fair is a bounded queue that edges share. Each edge has a lane of its own and
// they take turns, so that one that floods waits for itself. Its bound leaves the
// others room: see room.
type fair[T any] struct {
	most int           // of all sizes together
	wake chan struct{} // buffered 1: something was put

	mu    sync.Mutex // guards what follows
	lanes map[name]*lane[T]
	turn  []*lane[T] // those that hold something, the next one first
	total int
}

// name is an edge as its topics name it.
type name struct{ group, node string }

type lane[T any] struct {
	list []entry[T]
	head int // of list, what is left begins there
	size int
}

func (l *lane[T]) left() int { return len(l.list) - l.head }

type entry[T any] struct {
	x    T
	size int
}

func newFair[T any](most int) *fair[T] {
	return &fair[T]{most: most, wake: make(chan struct{}, 1), lanes: map[name]*lane[T]{}}
}

// room says whether an edge that has own of a total may take more, when so many
// share a bound. Half of the bound is free to all; of the other half each has an
// even share less what it has already. So whoever fills the first half gets
// nothing of the second.
func room(own, total, most, sharing int) bool {
	return total < most/2 || total < most && own < most/2/max(sharing, 1)
}

// put takes what came from an edge, and reports whether there was room.
func (f *fair[T]) put(from name, x T, size int) bool {
	f.mu.Lock()
	l := f.lanes[from]
	if l == nil {
		if len(f.lanes) >= 2*maxNodes {
			f.mu.Unlock()
			return false
		}
		l = &lane[T]{}
		f.lanes[from] = l
	}
	if !room(l.size, f.total, f.most, len(f.turn)) {
		f.mu.Unlock()
		return false
	}
	f.add(l, x, size)
	f.mu.Unlock()
	f.signal()
	return true
}

// add puts x at the end of a lane. The caller holds mu.
func (f *fair[T]) add(l *lane[T], x T, size int) {
	if l.left() == 0 {
		f.turn = append(f.turn, l)
	}
	l.list = append(l.list, entry[T]{x, size})
	l.size += size
	f.total += size
}

// all puts something behind what each edge has said, whatever room there is.
func (f *fair[T]) all(x func(name) T) {
	f.mu.Lock()
	for from, l := range f.lanes {
		f.add(l, x(from), 0)
	}
	f.mu.Unlock()
	f.signal()
}

// instead puts x, which has no size, where something of an edge found no room;
// once is enough behind one that is like it.
func (f *fair[T]) instead(from name, x T, like func(T) bool) {
	f.mu.Lock()
	l := f.lanes[from]
	if l == nil || l.left() > 0 && like(l.list[len(l.list)-1].x) {
		f.mu.Unlock()
		return
	}
	f.add(l, x, 0)
	f.mu.Unlock()
	f.signal()
}

// forget drops an edge that nothing is known of.
func (f *fair[T]) forget(from name) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.lanes[from]; l != nil && l.left() == 0 {
		delete(f.lanes, from)
	}
}

func (f *fair[T]) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take moves one turn of every edge behind dst: at most so many of each, in
// order. It adds nothing when there is nothing.
func (f *fair[T]) take(dst []T, each int) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.turn[:0]
	for _, l := range f.turn {
		n := min(each, l.left())
		for _, e := range l.list[l.head : l.head+n] {
			dst = append(dst, e.x)
			l.size -= e.size
			f.total -= e.size
		}
		clear(l.list[l.head : l.head+n])
		l.head += n
		switch {
		case l.left() > 0:
			left = append(left, l)
			if l.head < len(l.list)/2 {
				continue
			}
			kept := copy(l.list, l.list[l.head:])
			clear(l.list[kept:])
			l.list, l.head = l.list[:kept], 0
		case cap(l.list) > 1024: // a flood is over
			l.list, l.head = nil, 0
		default:
			l.list, l.head = l.list[:0], 0
		}
	}
	clear(f.turn[len(left):])
	f.turn = left
	return dst
}

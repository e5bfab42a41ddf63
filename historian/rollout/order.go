package rollout

import (
	"context"
	"errors"

	"millwright/models/bundle"
	"millwright/plant"
)

// Give signs an order and lays it where the edges fetch.
func (b *Book) Give(_ context.Context, o plant.Order) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.open()
	if err != nil {
		return err
	}
	o.At = b.now().UnixNano()
	return r.Change(func(p *bundle.Plan) error { return p.Give(o) })
}

// Orders are those that were given, oldest first; none where there is no
// repository.
func (b *Book) Orders(context.Context) ([]plant.Order, error) {
	r, err := b.open()
	if errors.Is(err, ErrNotReady) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plan, _, err := r.Plan()
	return plan.Orders, err
}

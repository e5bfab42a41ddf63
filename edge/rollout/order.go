package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"millwright/models/bundle"
	"millwright/plant"
	"millwright/plant/disk"
)

const (
	ordersFile  = "orders.json"
	orderLife   = 7 * 24 * time.Hour // an older one may not be meant any more
	maxRefusals = 20
)

// loadOrders reads how far the orders were followed. Without the file, or with a
// damaged one, those that are still good are looked at again.
func (a *Agent) loadOrders() error {
	b, err := os.ReadFile(filepath.Join(a.Dir, ordersFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var s plant.OrderStatus
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", ordersFile, err)
	}
	a.orders = s
	return nil
}

// obey carries out the orders for this edge that are new. Each is tried once: it
// is noted as done before, so that a crash cannot repeat it, and in the audit.
func (a *Agent) obey(plan bundle.Plan) error {
	if a.Obey == nil {
		return nil
	}
	if plan.Version < a.orders.Done { // the repository of another plant
		if err := a.keepOrders(func(s *plant.OrderStatus) { *s = plant.OrderStatus{} }); err != nil {
			return err
		}
	}
	for i := range plan.Orders {
		o := &plan.Orders[i]
		if o.Edge != a.Edge || o.Number <= a.orders.Done {
			continue
		}
		if err := a.keepOrders(func(s *plant.OrderStatus) { s.Done = o.Number }); err != nil {
			return err
		}
		what := fmt.Sprintf("%s, PLC %s, by %s: %s", o.What(), o.PLC, o.Who, o.Reason)
		err := errors.New("the order is older than a week")
		if a.now().Sub(time.Unix(0, o.At)) < orderLife {
			err = a.Obey(*o)
		}
		if err == nil {
			a.note("order", "", "", what)
			continue
		}
		a.refuse("", "", fmt.Errorf("order %s: %w", what, err))
		if err := a.keepOrders(func(s *plant.OrderStatus) {
			s.Refused = append(slices.Clone(s.Refused), plant.OrderRefusal{Number: o.Number, Why: err.Error()})
			s.Refused = s.Refused[max(0, len(s.Refused)-maxRefusals):]
		}); err != nil {
			return err
		}
	}
	return nil
}

func (a *Agent) keepOrders(change func(*plant.OrderStatus)) error {
	a.mu.Lock()
	s := a.orders
	change(&s)
	a.orders = s
	a.mu.Unlock()
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := disk.Replace(filepath.Join(a.Dir, ordersFile), b, 0o600); err != nil {
		return &diskError{err}
	}
	if a.Changed != nil {
		a.Changed()
	}
	return nil
}

// Orders says how far the plant's orders were followed.
func (a *Agent) Orders() *plant.OrderStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.orders
	return &s
}

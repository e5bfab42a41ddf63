package rollout

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"millwright/models/bundle"
)

// Bring fetches the bundles that the record of another box names, before Open, so
// that this one runs them from its first sample on. Each is verified as the plant
// has signed it. It returns the ids of those that are there.
func (a *Agent) Bring(ctx context.Context) (ids []string, err error) {
	record, err := loadRecord(a.Dir)
	if err != nil || len(record) == 0 {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(a.Dir, bundlesDir), 0o700); err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	client := &bundle.Client{URL: a.URL, CA: a.CA, Root: a.Root, Dir: filepath.Join(a.Dir, "trust"), Now: a.Now}
	var view *bundle.View
	for _, is := range record {
		for _, f := range []file{is.Running, is.Shadow} {
			if f.ID == "" {
				continue
			}
			if _, err := a.stored(f.SHA256); err != nil {
				if view == nil {
					if view, err = client.Fetch(ctx); err != nil {
						return ids, err
					}
				}
				sum, err := view.Sum(f.ID)
				if err != nil {
					return ids, err
				}
				if sum != f.SHA256 {
					return ids, fmt.Errorf("models: %s is another file than the box had", f.ID)
				}
				raw, err := view.Load(ctx, f.ID)
				if err != nil {
					return ids, err
				}
				if err := a.store(f, raw); err != nil {
					return ids, err
				}
			}
			ids = append(ids, f.ID)
		}
	}
	return ids, nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"millwright/collector"
	"millwright/plant"
	"millwright/plant/config"
	"millwright/plant/disk"
)

// foundFile holds the tags that were found at a PLC with discover = true.
func foundFile(data, plc string) string { return filepath.Join(data, plc+".found.csv") }

// find browses a PLC for its tags. They are kept: where it is away, does not trust us
// or bears no browsing just now, the edge goes on with those of the last time. Only a PLC
// that was never found makes an error.
func find(ctx context.Context, d *collector.Discovery, p *config.PLC, data string, log *slog.Logger) ([]plant.Tag, error) {
	file := foundFile(data, p.Name)
	draft, err := d.Run(ctx)
	if err != nil {
		tags, before := readFound(file)
		switch {
		case errors.Is(before, fs.ErrNotExist) || ctx.Err() != nil:
			return nil, fmt.Errorf("plc %s: %w", p.Name, err)
		case before != nil:
			return nil, fmt.Errorf("plc %s: %w; nor can the tags found before be read: %v", p.Name, err, before)
		}
		log.Warn("PLC cannot be browsed, going on with the tags that were found before", "plc", p.Name, "tags", len(tags), "file", file, "err", err)
		return tags, nil
	}
	if over := p.Overload(draft.Tags); len(over) > 0 {
		return nil, fmt.Errorf("plc %s: %s", p.Name, strings.Join(over, "; "))
	}
	var b bytes.Buffer
	_ = config.WriteTags(&b, draft.Tags, nil)
	if err := disk.Replace(file, b.Bytes(), 0o600); err != nil {
		log.Warn("the tags that were found cannot be kept for a start without the PLC", "plc", p.Name, "err", err)
	}
	return config.ParseTags(file, &b) // as the next start without the PLC has them
}

func readFound(file string) ([]plant.Tag, error) {
	src, err := config.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return config.ParseTags(file, bytes.NewReader(src))
}

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"millwright/historian/ingest"
	"millwright/plant/config"
)

type unreadCmd struct {
	Config string `short:"c" help:"Configuration file with [historian]." placeholder:"FILE.toml" required:""`
	Edge   string `help:"Only messages of this edge: GROUP/NODE." placeholder:"NAME"`
	JSON   bool   `name:"json" help:"Whole messages, a line of JSON each; the payload in base64."`
}

func (c *unreadCmd) Help() string {
	return `
A message that cannot be read is kept in the historian's data folder, 4 MiB of an
edge and 64 MiB in all; the oldest go first. One that only waits for a birth is read
when that comes. It may be asked while the historian runs.

  millwright unread -c plant.toml
  millwright unread -c plant.toml --edge works/f3 --json > f3.jsonl
`
}

// Run lists the messages.
func (c *unreadCmd) Run(e *env) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if cfg.Historian == nil {
		return fmt.Errorf("%s has no [historian]: the messages are where that runs", c.Config)
	}
	out := json.NewEncoder(e.stdout)
	n := 0
	var errs error
	err = ingest.ReadUnread(filepath.Join(cfg.Historian.Data, ingestFolder, ingest.UnreadFolder), func(x *ingest.Unread) {
		if c.Edge != "" && x.Edge != c.Edge {
			return
		}
		n++
		if c.JSON {
			errs = errors.Join(errs, out.Encode(x))
			return
		}
		wait := ""
		if x.Waits {
			wait = ", waits for a birth"
		}
		fmt.Fprintf(e.stdout, "%s  %s  %s  %d bytes: %s%s\n", x.Time.Format(time.DateTime), cmp.Or(x.Edge, "(no edge)"), x.Topic, x.Bytes, x.Reason, wait)
	})
	if err = errors.Join(err, errs); err != nil {
		return err
	}
	if n == 0 && !c.JSON {
		fmt.Fprintln(e.stdout, "no unread messages")
	}
	return nil
}

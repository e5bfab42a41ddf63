package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"millwright/collector"
	"millwright/plant"
)

// releaseFlags are about tags whose nodes are not what they were.
type releaseFlags struct {
	Release []string `help:"With -c: release a tag from quarantine, as same, rescaled or new." placeholder:"TAG=same"`
	whoFlag
}

// releaseTime is how long a running edge may take to answer.
const releaseTime = 10 * time.Second

// release asks the edge of a configuration to release tags.
func (f *releaseFlags) release(e *env, at target) error {
	if at.plc == nil {
		return usageError("--release needs -c FILE.toml, the configuration of the edge")
	}
	list, err := at.quarantined()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, releaseTime)
	defer cancel()
	var errs []error
	for _, r := range f.Release {
		cut := strings.LastIndexByte(r, '=')
		if cut < 0 {
			return usageError(fmt.Sprintf("--release %q: wants TAG=same, TAG=rescaled or TAG=new", r))
		}
		tag, as := r[:cut], plant.Release(r[cut+1:])
		if !slices.ContainsFunc(list, func(q plant.QuarantinedTag) bool { return q.Tag == tag }) {
			errs = append(errs, fmt.Errorf("%s is not in quarantine: millwright doctor plc -c FILE.toml lists what is", tag))
			continue
		}
		if err := collector.RequestRelease(ctx, at.data, at.plc.Name, tag, as, f.who()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", tag, err))
			continue
		}
		fmt.Fprintf(e.stdout, "%s is released as %s\n", tag, as)
	}
	return errors.Join(errs...)
}

// quarantined are the tags of a configured PLC that its edge has in quarantine.
func (t *target) quarantined() ([]plant.QuarantinedTag, error) {
	if t.plc == nil {
		return nil, nil
	}
	return collector.Quarantined(t.data, t.plc.Name)
}

// quarantineCheck is such a tag, with what to do.
func quarantineCheck(q plant.QuarantinedTag, config, plc string) collector.Check {
	return collector.Check{
		Grade: collector.Warn, Name: "quarantine",
		Text: fmt.Sprintf("%s, since %s: was %s, is %s", q.Tag, time.Unix(0, q.Since).Format(time.DateTime), q.Was, q.Is),
		Next: fmt.Sprintf("millwright doctor plc -c %s --plc %s --release '%s=same', or =rescaled, or =new", config, plc, q.Tag),
	}
}

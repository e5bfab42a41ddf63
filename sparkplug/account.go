package sparkplug

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"millwright/plant"
)

// Account is what an edge says of one epoch, so that the plant can hold it against
// what it has: which records there ever were, which of them are still on their way,
// and how much was in them. It is cumulative and said again and again, so that none
// of its messages matters.
type Account struct {
	Epoch uint64 `json:"epoch"`
	Last  uint64 `json:"last"` // highest number that is, or was, on the edge's disk
	Began int64  `json:"began"`
	Ended int64  `json:"ended"` // ms UTC: opening of the queue; creation of the newest record

	// Ranges as in an acknowledgement: the records that are queued, and those that
	// will never be sent, because they were thinned out and declared, or never
	// reached the disk. Where there are many, ranges that are near each other are
	// one: what is in neither is settled for certain.
	Queued string `json:"queued,omitempty"`
	Never  string `json:"never,omitempty"`

	// By class: all records up to Through have left the queue in the lanes of that
	// class; Sent and Declared is what these carried. Through is the last number
	// of a block, or Last.
	Through  plant.Counts `json:"through"`
	Sent     plant.Counts `json:"sent"`
	Declared plant.Counts `json:"declared"`

	// Unread is how many records were given up of which nobody knows what was in
	// them: they are declared, and not counted in Declared.
	Unread uint64 `json:"unread,omitempty"`
	// More says that the edge does not know yet of all epochs that it has something
	// of: it reads a damaged queue.
	More bool `json:"more,omitempty"`

	// Of all records, those that are queued too.
	Total         plant.Counts `json:"total"`
	TotalDeclared plant.Counts `json:"total_declared"`
}

// MaxAccounts is how many epochs an edge tells of at once, the newest: of one that
// it leaves out there is nothing left where the list is shorter.
const MaxAccounts = 200

var errAccounts = errors.New("accounts")

// FormatAccounts writes the text of MetricAccounts.
func FormatAccounts(list []Account) string {
	b, err := json.Marshal(list)
	if err != nil { // strings and integers only
		panic(err)
	}
	return string(b)
}

// ParseAccounts reads the text of MetricAccounts, all of it or nothing.
func ParseAccounts(text string) ([]Account, error) {
	var list []Account
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%w: %w", errAccounts, err)
	}
	if len(list) > MaxAccounts {
		return nil, fmt.Errorf("%w: %d of them, allowed are %d", errAccounts, len(list), MaxAccounts)
	}
	seen := map[uint64]bool{}
	for i := range list {
		a := &list[i]
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("%w: epoch %d: %w", errAccounts, a.Epoch, err)
		}
		if seen[a.Epoch] {
			return nil, fmt.Errorf("%w: epoch %d twice", errAccounts, a.Epoch)
		}
		seen[a.Epoch] = true
	}
	return list, nil
}

func (a *Account) check() error {
	if a.Epoch == 0 || a.Epoch > MaxNumber || a.Last > MaxNumber {
		return errors.New("not a record number")
	}
	for c := range plant.CountClasses {
		switch n := a.Through[c]; {
		case n > a.Last, n%plant.TallyBlock != 0 && n != a.Last:
			return fmt.Errorf("through %d of %d", n, a.Last)
		case max(a.Sent[c], a.Declared[c], a.Total[c], a.TotalDeclared[c]) > MaxNumber:
			return errors.New("a count beyond all bounds")
		case a.Sent[c] > a.Total[c], a.Declared[c] > a.TotalDeclared[c]:
			return errors.New("a part is more than the whole")
		}
	}
	for _, text := range []string{a.Queued, a.Never} {
		if text == "" {
			continue
		}
		if _, err := ParseSpans(text); err != nil {
			return err
		}
	}
	return nil
}

// Settled are the numbers that the plant must have: all that there are, but for
// those that are queued or will never be sent. An account that was parsed or made
// by FormatSpans has nothing to fail.
func (a *Account) Settled() []Span {
	return a.without(a.Queued, a.Never)
}

// Open are the numbers that are queued, and not thinned out meanwhile.
func (a *Account) Open() []Span {
	queued, _ := ParseSpans(a.Queued)
	never, _ := ParseSpans(a.Never)
	return CutSpans(queued, never)
}

func (a *Account) without(texts ...string) []Span {
	if a.Last == 0 {
		return nil
	}
	out := []Span{{1, a.Last}}
	for _, text := range texts {
		off, _ := ParseSpans(text)
		out = CutSpans(out, off)
	}
	return out
}

// CutSpans is what of spans is not in off, as a new slice; both ascend and are
// disjoint.
func CutSpans(spans, off []Span) []Span {
	var out []Span
	for _, s := range spans {
		i, _ := slices.BinarySearchFunc(off, s.First, func(o Span, n uint64) int {
			if o.Last < n {
				return -1
			}
			return 1
		})
		for ; i < len(off) && off[i].First <= s.Last; i++ {
			if off[i].First > s.First {
				out = append(out, Span{s.First, off[i].First - 1})
			}
			s.First = off[i].Last + 1
		}
		if s.First <= s.Last {
			out = append(out, s)
		}
	}
	return out
}

// CoarseSpans makes at most n spans of many, by joining those that have the fewest
// numbers between them. It works in place.
func CoarseSpans(spans []Span, n int) []Span {
	if len(spans) <= n {
		return spans
	}
	between := make([]uint64, len(spans)-1)
	for i := range between {
		between[i] = spans[i+1].First - spans[i].Last
	}
	slices.Sort(between)
	least := between[len(between)-1] + 1 // what lies apart at least so far stays apart
	if n > 1 {
		least = between[len(spans)-n]
	}
	out := spans[:1]
	for _, s := range spans[1:] {
		if last := &out[len(out)-1]; s.First-last.Last < least {
			last.Last = s.Last
		} else {
			out = append(out, s)
		}
	}
	// Where many lie apart equally far there are still too many.
	for len(out) > n {
		out[len(out)-2].Last = out[len(out)-1].Last
		out = out[:len(out)-1]
	}
	return out
}

package hmi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"millwright/plant"
)

type gapBody struct {
	Tag    string `json:"tag"`
	From   stamp  `json:"from"`
	To     stamp  `json:"to"`
	Reason string `json:"reason"`
}

// gaps lists declared gaps of one tag or of all, ascending by their start. The
// whole answer is collected before it is cut into pages: gaps are few.
func (s *Server) gaps(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "tag", "from", "to", "limit", "after")
	from, to := q.span()
	limit := q.limit()
	after, paged := q.after('g')
	tags := []plant.Tag{}
	if q.err == nil && q.text("tag") == "" {
		tags = s.directory.now().tags
	} else {
		t, err := s.find(q)
		if err != nil {
			return err
		}
		tags = append(tags, t)
	}
	all := []gapBody{}
	for i := range tags {
		found, err := s.History.Gaps(r.Context(), plant.Range{Tag: tags[i].ID, From: from, To: to})
		if err != nil {
			return err
		}
		for _, g := range found {
			all = append(all, gapBody{tags[i].Path, stamp(g.From), stamp(g.To), g.Reason})
		}
	}
	slices.SortFunc(all, gapBody.compare)
	if paged {
		last, err := parseGapCursor(after)
		if err != nil {
			return err
		}
		i, found := slices.BinarySearchFunc(all, last, gapBody.compare)
		if found {
			i++
		}
		all = all[i:]
	}
	var next *string
	if len(all) > limit {
		all = all[:limit]
		next = cursor('g', all[limit-1].position())
	}
	return send(w, struct {
		Gaps []gapBody `json:"gaps"`
		Next *string   `json:"next"`
	}{all, next})
}

func (g gapBody) compare(o gapBody) int {
	return cmp.Or(cmp.Compare(g.From, o.From), strings.Compare(g.Tag, o.Tag), strings.Compare(g.Reason, o.Reason), cmp.Compare(g.To, o.To))
}

func (g gapBody) position() string {
	return fmt.Sprintf("%d\n%d\n%s\n%s", g.From, g.To, g.Tag, g.Reason)
}

func parseGapCursor(position string) (gapBody, error) {
	f := strings.SplitN(position, "\n", 4)
	if len(f) == 4 {
		from, err1 := strconv.ParseInt(f[0], 10, 64)
		to, err2 := strconv.ParseInt(f[1], 10, 64)
		if err1 == nil && err2 == nil {
			return gapBody{f[2], stamp(from), stamp(to), f[3]}, nil
		}
	}
	return gapBody{}, wrong("after", "not a cursor of this list", cursorAllowed)
}

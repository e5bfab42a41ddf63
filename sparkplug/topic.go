package sparkplug

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Namespace is the first level of every topic (tck-id-topic-structure-namespace-a).
const Namespace = "spBv1.0"

// Kind is the type of a message, as it stands in the topic.
type Kind string

// Message types.
const (
	NBIRTH Kind = "NBIRTH"
	NDEATH Kind = "NDEATH"
	NDATA  Kind = "NDATA"
	NCMD   Kind = "NCMD"
	DBIRTH Kind = "DBIRTH"
	DDEATH Kind = "DDEATH"
	DDATA  Kind = "DDATA"
	DCMD   Kind = "DCMD"
	STATE  Kind = "STATE"
)

// ofDevice reports whether topics of this type end in a device id, and whether
// the type exists.
func (k Kind) ofDevice() (device, known bool) {
	switch k {
	case NBIRTH, NDEATH, NDATA, NCMD, STATE:
		return false, true
	case DBIRTH, DDEATH, DDATA, DCMD:
		return true, true
	}
	return false, false
}

// Topic is a topic of the namespace. STATE has Host alone, the others Group and
// Node, those of devices Device too.
type Topic struct {
	Kind   Kind
	Group  string
	Node   string
	Device string
	Host   string
}

var errTopic = errors.New("sparkplug topic")

// ParseTopic reads namespace/group/type/node[/device] or namespace/STATE/host.
func ParseTopic(s string) (Topic, error) {
	var level [6]string
	n := 0
	for part := range strings.SplitSeq(s, "/") {
		if n == len(level) || !usable(part) {
			return Topic{}, fmt.Errorf("%w: %.80q", errTopic, s)
		}
		level[n] = part
		n++
	}
	if level[0] != Namespace {
		return Topic{}, fmt.Errorf("%w: %.80q is not of %s", errTopic, s, Namespace)
	}
	if n == 3 && level[1] == string(STATE) {
		return Topic{Kind: STATE, Host: level[2]}, nil
	}
	t := Topic{Kind: Kind(level[2]), Group: level[1], Node: level[3], Device: level[4]}
	device, known := t.Kind.ofDevice()
	if !known || t.Kind == STATE || device && n != 5 || !device && n != 4 {
		return Topic{}, fmt.Errorf("%w: %.80q", errTopic, s)
	}
	return t, nil
}

// usable reports whether s can be a level of a topic.
func usable(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsAny(s, "+#\x00")
}

// String is the topic as it is published.
func (t Topic) String() string {
	if t.Kind == STATE {
		return Namespace + "/" + string(STATE) + "/" + t.Host
	}
	s := Namespace + "/" + t.Group + "/" + string(t.Kind) + "/" + t.Node
	if t.Device != "" {
		s += "/" + t.Device
	}
	return s
}

// CheckID says what is wrong with a group, node, device or host id of ours. It
// is stricter than Sparkplug: the embedded broker refuses blanks in topics.
func CheckID(id string) error {
	if !usable(id) || strings.ContainsRune(id, '/') {
		return fmt.Errorf("id %q: not empty, without + # /", id)
	}
	for _, r := range id {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return fmt.Errorf("id %q: no blanks or control characters allowed", id)
		}
	}
	return nil
}

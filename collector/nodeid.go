package collector

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// node is a node id as a tag list writes it (OPC 10000-6, 5.3.1.10). The
// namespace is a URI where one is given, because indexes change when a server
// is restarted or a PLC program is loaded; it becomes an index at each connect.
type node struct {
	uri   string // empty: index is used
	index uint16
	kind  byte   // 'i', 's', 'g' or 'b'
	num   uint32 // kind i
	text  string // kind s, g; raw bytes of kind b
}

// errNamespace is the reason of a node whose namespace the server does not have.
var errNamespace = errors.New("the server has no namespace of this URI")

// CheckNode says what is wrong with a node id as written in a tag list, nil if
// nothing is. Allowed: "nsu=URI;s=text", "ns=2;s=text", "i=2258"; kinds s
// (text), i (number), g (GUID), b (base64).
func CheckNode(s string) error {
	_, err := parseNode(s)
	return err
}

func parseNode(s string) (node, error) {
	var n node
	rest := s
	switch {
	case strings.HasPrefix(rest, "nsu="):
		uri, after, ok := strings.Cut(rest[len("nsu="):], ";")
		if !ok || uri == "" {
			return n, fmt.Errorf("node %q: want nsu=URI;s=…, i=…, g=… or b=…", s)
		}
		n.uri, rest = plant.UnescapeURI(uri), after
	case strings.HasPrefix(rest, "ns="):
		idx, after, ok := strings.Cut(rest[len("ns="):], ";")
		v, err := strconv.ParseUint(idx, 10, 16)
		if !ok || err != nil {
			return n, fmt.Errorf("node %q: want ns=0…65535;s=…, i=…, g=… or b=…", s)
		}
		n.index, rest = uint16(v), after
	}
	if len(rest) < 3 || rest[1] != '=' {
		return n, fmt.Errorf("node %q: no identifier s=…, i=…, g=… or b=…", s)
	}
	n.kind = rest[0]
	value := rest[2:]
	switch n.kind {
	case 'i':
		v, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return n, fmt.Errorf("node %q: i= wants a number up to %d", s, uint32(math.MaxUint32))
		}
		n.num = uint32(v)
	case 's':
		if len(value) > 4096 { // OPC 10000-3, 8.2.4
			return n, fmt.Errorf("node %q…: text longer than 4096 bytes", s[:32])
		}
		n.text = value
	case 'g':
		if !isGUID(value) {
			return n, fmt.Errorf("node %q: g= wants 72962B91-FA75-4AE6-8D28-B404DC7DAF63", s)
		}
		n.text = value
	case 'b':
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(raw) > 4096 {
			return n, fmt.Errorf("node %q: b= wants base64 of at most 4096 bytes", s)
		}
		n.text = string(raw)
	default:
		return n, fmt.Errorf("node %q: identifier kind %q, want s, i, g or b", s, n.kind)
	}
	return n, nil
}

// resolve gives the id of this connection; namespaces is the server's
// NamespaceArray.
func (n node) resolve(namespaces []string) (*ua.NodeID, error) {
	ns := n.index
	if n.uri != "" {
		i := indexOf(namespaces, n.uri)
		if i < 0 {
			return nil, fmt.Errorf("%w: %s", errNamespace, n.uri)
		}
		ns = uint16(i)
	}
	switch n.kind {
	case 'i':
		return ua.NewNumericNodeID(ns, n.num), nil
	case 'g':
		return ua.NewGUIDNodeID(ns, n.text), nil
	case 'b':
		return ua.NewByteStringNodeID(ns, []byte(n.text)), nil
	}
	return ua.NewStringNodeID(ns, n.text), nil
}

// formatNode writes an id with its namespace URI, as parseNode reads it.
func formatNode(id *ua.NodeID, namespaces []string) string {
	prefix := ""
	switch ns := int(id.Namespace()); {
	case ns == 0:
	case ns < len(namespaces) && namespaces[ns] != "":
		prefix = "nsu=" + plant.EscapeURI(namespaces[ns]) + ";"
	default:
		prefix = fmt.Sprintf("ns=%d;", ns)
	}
	switch id.Type() {
	case ua.NodeIDTypeString:
		return prefix + "s=" + id.StringID()
	case ua.NodeIDTypeGUID:
		return prefix + "g=" + id.StringID()
	case ua.NodeIDTypeByteString:
		return prefix + "b=" + id.StringID()
	}
	return prefix + "i=" + strconv.FormatUint(uint64(id.IntID()), 10)
}

func indexOf(list []string, s string) int {
	for i, v := range list {
		if v == s && i <= math.MaxUint16 {
			return i
		}
	}
	return -1
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
				return false
			}
		}
	}
	return true
}

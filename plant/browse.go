package plant

import (
	"fmt"
	"strconv"
	"strings"
)

// BrowseName is the name of a node within its namespace (OPC 10000-3, 5.2.4).
type BrowseName struct {
	URI   string // of the namespace; empty: Index is used
	Index uint16
	Name  string
}

// mostBrowse bounds a browse path: levels, and bytes of the text.
const (
	mostBrowse     = 64
	mostBrowseText = 4096
)

// ParseBrowse reads a browse path, the way to a node from the Objects folder:
// "nsu=urn:mill;F3/GBX/VIB_H". Names are divided by / and joined by hierarchical
// references of any kind. The form is that of the relative path of OPC 10000-4,
// A.2, with the namespace as in a node id, nsu=URI; or ns=2; before the name: a
// name without one is in the namespace of the name before it, the first in that
// of OPC UA. A / or & that belongs to a name has & before it, as any other letter
// may. In a URI the characters ; and % are written %3B and %25. Empty is no path.
func ParseBrowse(s string) ([]BrowseName, error) {
	if s == "" {
		return nil, nil
	}
	if len(s) > mostBrowseText {
		return nil, fmt.Errorf("%.40q…: longer than %d bytes", s, mostBrowseText)
	}
	wrong := func(why string) ([]BrowseName, error) {
		return nil, fmt.Errorf("%q: %s, allowed are names from the Objects folder such as nsu=urn:maker:plc;F3/GBX/VIB_H", s, why)
	}
	var path []BrowseName
	var n BrowseName
	for rest, more := s, true; more; {
		switch {
		case strings.HasPrefix(rest, "nsu="):
			uri, after, ok := strings.Cut(rest[len("nsu="):], ";")
			if !ok || uri == "" {
				return wrong("nsu= wants URI;")
			}
			n.URI, n.Index, rest = UnescapeURI(uri), 0, after
		case strings.HasPrefix(rest, "ns="):
			index, after, ok := strings.Cut(rest[len("ns="):], ";")
			v, err := strconv.ParseUint(index, 10, 16)
			if !ok || err != nil {
				return wrong("ns= wants 0…65535;")
			}
			n.URI, n.Index, rest = "", uint16(v), after
		}
		if n.Name, rest, more = cutName(rest); n.Name == "" {
			return wrong("a name is empty")
		}
		if path = append(path, n); len(path) > mostBrowse {
			return wrong(fmt.Sprintf("more than %d levels", mostBrowse))
		}
	}
	return path, nil
}

// cutName takes a name off the front; more says that another has to follow.
func cutName(s string) (name, rest string, more bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '/':
			return b.String(), s[i+1:], true
		case s[i] == '&' && i+1 == len(s):
			return "", "", false
		case s[i] == '&':
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), "", false
}

// FormatBrowse writes what ParseBrowse reads.
func FormatBrowse(path []BrowseName) string {
	var b strings.Builder
	var before BrowseName
	for i, n := range path {
		if i > 0 {
			b.WriteByte('/')
		}
		if n.URI != before.URI || n.Index != before.Index {
			if n.URI != "" {
				b.WriteString("nsu=" + EscapeURI(n.URI) + ";")
			} else {
				fmt.Fprintf(&b, "ns=%d;", n.Index)
			}
		}
		if strings.HasPrefix(n.Name, "ns=") || strings.HasPrefix(n.Name, "nsu=") {
			b.WriteByte('&')
		}
		b.WriteString(browseEscaper.Replace(n.Name))
		before = n
	}
	return b.String()
}

var browseEscaper = strings.NewReplacer("&", "&&", "/", "&/")

// EscapeURI and UnescapeURI are for a namespace URI in a node id or a browse path.
func EscapeURI(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "%", "%25"), ";", "%3B")
}

// UnescapeURI is the other way.
func UnescapeURI(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "%3B", ";"), "%3b", ";")
	return strings.ReplaceAll(s, "%25", "%")
}

package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
)

// Seal is how messages between edge and plant are wrapped: as shipped, not at all.
// Which keys a side believes says where the keys of the other come from: millwright
// broker key prints them.
type Seal struct {
	Compress bool                           // of an edge
	Sign     bool                           // with the key in the data folder, made at the first start
	HostKey  ed25519.PublicKey              // of an edge: it obeys no command without this signature
	Edges    map[string][]ed25519.PublicKey // of a historian, by "group/node": what is not signed so is refused
}

// seal reads the keys of an edge.
func (t *table) seal() Seal {
	return Seal{Compress: t.flag("compress"), Sign: t.flag("sign"), HostKey: t.publicKey("host_key")}
}

// hostSeal reads the keys of a historian: sign, and sections [[historian.signed]].
func (t *table) hostSeal() Seal {
	s := Seal{Sign: t.flag("sign")}
	for _, e := range t.tables("signed") {
		edge := e.need("edge", "plant/edge1")
		if group, node, two := strings.Cut(edge, "/"); edge != "" && (!two || checkName(group) != nil || checkName(node) != nil) {
			e.fault("edge", "%q is no edge, allowed is its group and name, such as plant/edge1", edge)
		}
		key := e.publicKey("key")
		if !e.has("key") {
			e.fault("key", "is missing, millwright broker key -c EDGE.toml prints it on the edge")
		}
		if s.Edges == nil {
			s.Edges = map[string][]ed25519.PublicKey{}
		}
		if key != nil {
			s.Edges[edge] = append(s.Edges[edge], key)
		}
		e.close()
	}
	return s
}

// publicKey is an Ed25519 key in base64, nil where there is none.
func (t *table) publicKey(key string) (k ed25519.PublicKey) {
	t.checked(key, "", func(s string) error {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(b) != ed25519.PublicKeySize {
			return fmt.Errorf("%.60q is no key, allowed are %d bytes in base64, as millwright broker key prints them", s, ed25519.PublicKeySize)
		}
		k = b
		return nil
	})
	return k
}

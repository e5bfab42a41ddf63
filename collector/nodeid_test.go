package collector

import (
	"errors"
	"strings"
	"testing"
)

func TestNodes(t *testing.T) {
	namespaces := []string{"http://opcfoundation.org/UA/", "urn:server", "urn:mill;50%"}
	ok := func(s, want string) {
		t.Helper()
		n, err := parseNode(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			return
		}
		id, err := n.resolve(namespaces)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			return
		}
		if got := formatNode(id, namespaces); got != want {
			t.Errorf("%s became %s, want %s", s, got, want)
		}
	}
	ok("i=2258", "i=2258")
	ok("ns=0;i=85", "i=85")
	ok("ns=1;s=A/B;C=D", "nsu=urn:server;s=A/B;C=D")
	ok("nsu=urn:server;i=4294967295", "nsu=urn:server;i=4294967295")
	ok("nsu=urn:mill%3B50%25;s=x", "nsu=urn:mill%3B50%25;s=x")
	ok("ns=7;g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "ns=7;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63")
	ok("ns=1;b=AQID", "nsu=urn:server;b=AQID")

	bad := func(s string) {
		t.Helper()
		err := CheckNode(s)
		if err == nil || !strings.HasPrefix(err.Error(), `node "`) {
			t.Errorf("%q: %v", s, err)
		}
	}
	bad("")
	bad("T0")
	bad("ns=1;s=")
	bad("ns=65536;i=1")
	bad("ns=-1;i=1")
	bad("ns=1")
	bad("nsu=;i=1")
	bad("nsu=urn:x")
	bad("i=4294967296")
	bad("i=x")
	bad("x=1")
	bad("svr=1;i=1")
	bad("g=72962b91")
	bad("g=72962b91-fa75-4ae6-8d28-b404dc7dafzz")
	bad("b=???")
	bad("s=" + strings.Repeat("x", 5000))

	n, err := parseNode("nsu=urn:other;i=1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.resolve(namespaces); !errors.Is(err, errNamespace) {
		t.Errorf("an unknown namespace: %v", err)
	}
}

func FuzzNode(f *testing.F) {
	for _, s := range []string{"i=1", "ns=2;s=abc", "nsu=urn:a%3Bb%25;b=AQID", "ns=1;g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "nsu=;", "s="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseNode(s)
		if err != nil {
			return
		}
		namespaces := []string{"http://opcfoundation.org/UA/", n.uri}
		id, err := n.resolve(namespaces)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		m, err := parseNode(formatNode(id, namespaces))
		if err != nil {
			t.Fatalf("%q, written %q: %v", s, formatNode(id, namespaces), err)
		}
		again, err := m.resolve(namespaces)
		if err != nil || formatNode(again, namespaces) != formatNode(id, namespaces) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

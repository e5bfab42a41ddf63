package checkpoint

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"millwright/plant"
)

func sample() *Checkpoint {
	c := &Checkpoint{Manifest: Manifest{Group: "works", Edge: "hsm", Box: "box-3", Program: "1.2", Created: 5, Epoch: 7,
		Tags:    []Tag{{"mill", plant.Tag{ID: 3, Path: "A/B", Kind: plant.Analog}}},
		Secrets: []Secret{{"plc[0].password_file", "plc.password"}}}}
	c.Add("config/edge.toml", []byte("[edge]\n"))
	c.Add("data/models.state", bytes.Repeat([]byte{1, 2, 3}, 1000))
	c.Add("data/empty", nil)
	return c
}

func TestRoundTrip(t *testing.T) {
	c := sample()
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Edge != c.Edge || !slices.Equal(got.Tags, c.Tags) || !slices.Equal(got.Files, c.Files) || !slices.Equal(got.Secrets, c.Secrets) {
		t.Errorf("%+v", got.Manifest)
	}
	for name, want := range c.content {
		if !bytes.Equal(got.Content(name), want) {
			t.Errorf("%s differs", name)
		}
	}
}

// TestDamage flips each bit of a checkpoint and cuts it at each byte.
func TestDamage(t *testing.T) {
	c := sample()
	c.Add("data/models.state", []byte("learned"))
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		if _, err := Decode(b[:i]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		for bit := range 8 {
			x := bytes.Clone(b)
			x[i] ^= 1 << bit
			if _, err := Decode(x); !errors.Is(err, ErrDamaged) {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"../x", "/etc/passwd", "a/../../x", "a//b", "./a", "a\\b", "", "a/"} {
		c := sample()
		c.Add(name, []byte("x"))
		if _, err := c.Encode(); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := Decode(again); err != nil {
			t.Fatal(err)
		}
	})
}

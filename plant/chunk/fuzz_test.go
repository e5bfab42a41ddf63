package chunk

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"millwright/plant"
)

// The checksum is put right so that damage reaches the decoders behind it.
// What decodes must encode and decode to the same again.
func FuzzDecode(f *testing.F) {
	var e Encoder
	for k, s := range signals() {
		times, values, quality := columns(rand.New(rand.NewPCG(5, uint64(k))), 40+k, time.Second, time.Duration(k%3)*time.Millisecond, &s)
		data, err := e.Append(nil, times, values, quality)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Encoder
		var d Decoder
		var a, b plant.Block
		_, _ = d.Decode(data, &a)
		if len(data) > trailer {
			body := data[:len(data)-trailer]
			data = binary.LittleEndian.AppendUint32(body[:len(body):len(body)], crc32.Checksum(body, castagnoli))
		}
		if _, err := d.Decode(data, &a); err != nil {
			if len(a.Times) != 0 {
				t.Fatal("columns beside an error")
			}
			return
		}
		again, err := e.Append(nil, a.Times, a.Values, a.Quality)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(again, &b); err != nil {
			t.Fatal(err)
		}
		same(t, &b, a.Times, a.Values, a.Quality)
	})
}

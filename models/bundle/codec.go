package bundle

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"

	"millwright/models/autoencoder"
	"millwright/models/detect"
)

// Names of the entries, in their order; each mode has a network and its golden
// windows, numbered from 0. Plots follow the report.
const (
	manifestEntry = "manifest.json"
	reportEntry   = "report.md"
)

func networkEntry(mode int) string { return fmt.Sprintf("%d.network", mode) }
func goldenEntry(mode int) string  { return fmt.Sprintf("%d.golden", mode) }

// manifestFile is manifest.json: the manifest and the model without its networks.
type manifestFile struct {
	Manifest
	Model *detect.Trained `json:"model"`
}

// Write writes a bundle's file. The same bundle gives the same bytes.
func Write(w io.Writer, b *Bundle) error {
	if err := b.Check(); err != nil {
		return err
	}
	file := manifestFile{Manifest: b.Manifest, Model: b.Trained}
	file.Format = formatV1
	text, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrBundle, b.ID, err)
	}
	entries := []entry{{manifestEntry, append(text, '\n')}}
	for i := range b.Trained.Modes {
		net, err := b.Trained.Modes[i].Network.MarshalBinary()
		if err != nil {
			return fmt.Errorf("%w %s: %w", ErrBundle, b.ID, err)
		}
		entries = append(entries, entry{networkEntry(i), net}, entry{goldenEntry(i), b.Golden[i].encode()})
	}
	entries = append(entries, entry{reportEntry, []byte(b.Report)})
	for _, p := range b.Plots {
		entries = append(entries, entry{p.Name, p.SVG})
	}
	size := 0
	for _, e := range entries {
		size += len(e.data) + 2*len(e.name) + 100
	}
	if size > MaxSize {
		return fmt.Errorf("%w %s: %d bytes; at most %d: use a smaller network or fewer modes", ErrBundle, b.ID, size, MaxSize)
	}
	_, err = w.Write(pack(entries))
	return err
}

// Read reads a bundle's file. It refuses what Write would not have written. The
// bundle keeps parts of b.
func Read(b []byte) (*Bundle, error) {
	out, err := read(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return out, out.Check()
}

func read(b []byte) (*Bundle, error) {
	entries, err := unpack(b)
	if err != nil {
		return nil, err
	}
	next := func(name string, limit int) ([]byte, error) {
		if len(entries) == 0 || entries[0].name != name {
			return nil, fmt.Errorf("entry %s is not where it belongs", name)
		}
		data := entries[0].data
		if len(data) > limit {
			return nil, fmt.Errorf("entry %s of %d bytes: at most %d", name, len(data), limit)
		}
		entries = entries[1:]
		return data, nil
	}
	text, err := next(manifestEntry, maxText)
	if err != nil {
		return nil, err
	}
	file, err := decodeManifest(text)
	if err != nil {
		return nil, err
	}
	out := &Bundle{Manifest: file.Manifest, Trained: file.Model}
	for i := range out.Trained.Modes {
		data, err := next(networkEntry(i), MaxSize)
		if err != nil {
			return nil, err
		}
		net := &autoencoder.Network{}
		if err := net.UnmarshalBinary(data); err != nil {
			return nil, fmt.Errorf("entry %s: %w", networkEntry(i), err)
		}
		out.Trained.Modes[i].Network = net
		if data, err = next(goldenEntry(i), MaxSize); err != nil {
			return nil, err
		}
		g, err := decodeGolden(data)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", goldenEntry(i), err)
		}
		out.Golden = append(out.Golden, g)
	}
	report, err := next(reportEntry, maxText)
	if err != nil {
		return nil, err
	}
	out.Report = string(report)
	for _, e := range entries {
		if !strings.HasSuffix(e.name, ".svg") {
			return nil, fmt.Errorf("unknown entry %.40q", e.name)
		}
		out.Plots = append(out.Plots, Plot{Name: e.name, SVG: e.data})
	}
	return out, nil
}

func decodeManifest(text []byte) (*manifestFile, error) {
	// A newer format is told as such, whatever else it holds.
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestEntry, err)
	}
	if head.Format != formatV1 {
		return nil, fmt.Errorf("format %d: this version of millwright reads %d", head.Format, formatV1)
	}
	file := &manifestFile{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(file); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestEntry, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: something follows it", manifestEntry)
	}
	if file.Model == nil || len(file.Model.Modes) == 0 || len(file.Model.Modes) > maxModes {
		return nil, fmt.Errorf("%s: 1 to %d modes", manifestEntry, maxModes)
	}
	return file, nil
}

// magic begins the golden windows.
const goldenMagic = "MWGV\x01\x00\x00\x00"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode writes golden windows: see FORMAT.md.
func (g *Golden) encode() []byte {
	le := binary.LittleEndian
	out := []byte(goldenMagic)
	out = le.AppendUint32(out, uint32(len(g.Windows)))
	out = le.AppendUint32(out, uint32(len(g.Windows[0])))
	for i, w := range g.Windows {
		for _, v := range w {
			out = le.AppendUint32(out, math.Float32bits(v))
		}
		out = le.AppendUint64(out, math.Float64bits(g.Scores[i]))
	}
	return le.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

func decodeGolden(b []byte) (Golden, error) {
	const head = len(goldenMagic) + 8
	le := binary.LittleEndian
	if len(b) < head+4 || string(b[:len(goldenMagic)]) != goldenMagic {
		return Golden{}, fmt.Errorf("golden windows: %d bytes that are none", len(b))
	}
	n, width := int(le.Uint32(b[len(goldenMagic):])), int(le.Uint32(b[len(goldenMagic)+4:]))
	if n < minGolden || n > maxGolden || width < 1 || width > autoencoder.MaxWindow*autoencoder.MaxTags ||
		len(b) != head+n*(4*width+8)+4 {
		return Golden{}, fmt.Errorf("golden windows: %d of %d values in %d bytes", n, width, len(b))
	}
	if crc32.Checksum(b[:len(b)-4], castagnoli) != le.Uint32(b[len(b)-4:]) {
		return Golden{}, errors.New("golden windows: damaged")
	}
	g := Golden{}
	values := make([]float32, n*width)
	for at := head; len(g.Windows) < n; at += 8 {
		w := values[:width:width]
		values = values[width:]
		for i := range w {
			w[i] = math.Float32frombits(le.Uint32(b[at:]))
			at += 4
		}
		g.Windows = append(g.Windows, w)
		g.Scores = append(g.Scores, math.Float64frombits(le.Uint64(b[at:])))
	}
	return g, nil
}

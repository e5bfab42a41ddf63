package sparkplug

import (
	"bytes"
	"compress/flate"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"millwright/plant/chunk"
)

// SealUUID marks a payload whose body is ours (Payload.uuid); FORMAT.md, "Seal",
// has its layout.
const SealUUID = "millwright/1"

const (
	keyPayloadUUID = 4<<3 | 2
	keyPayloadBody = 5<<3 | 2

	sealDeflated = 1 << 0 // the metrics are in the body, packed
	sealSigned   = 1 << 1 // 64 bytes of signature follow the flags
	sealKnown    = sealDeflated | sealSigned
)

// Errors of Open. ErrSeal: the message cannot be read. ErrForged: it is not
// from who holds the key, or is not of this session.
var (
	ErrSeal   = errors.New("sparkplug seal")
	ErrForged = errors.New("signature does not fit")
)

// Sealer wraps the payloads that one side sends: compressed, signed, both, or
// neither. The zero value leaves them as they are. It belongs to one goroutine.
type Sealer struct {
	Compress bool               // of messages that are asked to be
	Key      ed25519.PrivateKey // nil: not signed

	metrics []Metric
	values  []float64
	columns chunk.Encoder
	inner   []byte
	deflate *flate.Writer
	out     bytes.Buffer
}

// Name says in an NBIRTH how messages are wrapped; "" where they are not.
func (s *Sealer) Name() string {
	switch {
	case s.Compress && s.Key != nil:
		return "deflate+ed25519"
	case s.Compress:
		return "deflate"
	case s.Key != nil:
		return "ed25519"
	}
	return ""
}

// AppendTo appends p as it goes out on a topic to dst. Session is the time of the
// NBIRTH (ms UTC) that the message belongs to, 0 for the NBIRTH itself and
// commands; a message of one session is no message of another. Pack
// says that the metrics may be compressed.
func (s *Sealer) AppendTo(dst []byte, p *Payload, topic string, session uint64, pack bool) []byte {
	pack = pack && s.Compress && len(p.Metrics) > 0
	if !pack && s.Key == nil {
		return p.AppendTo(dst)
	}
	start := len(dst)
	outer := *p
	var content []byte
	flags := byte(0)
	if pack {
		content = s.packed(p.Metrics)
		outer.Metrics = nil
		flags |= sealDeflated
	}
	dst = outer.AppendTo(dst)
	dst = appendString(dst, keyPayloadUUID, SealUUID)
	size := 1 + len(content)
	if s.Key != nil {
		flags |= sealSigned
		size += ed25519.SignatureSize
	}
	covered := dst[start:]
	dst = binary.AppendUvarint(append(dst, keyPayloadBody), uint64(size))
	dst = append(dst, flags)
	if s.Key != nil {
		dst = append(dst, ed25519.Sign(s.Key, signedBytes(topic, session, covered, flags, content))...)
	}
	return append(dst, content...)
}

// packed are metrics, compressed: a payload that holds nothing else and whose metrics
// lack their doubles, and behind it those doubles as a column. DEFLATE finds little in
// them, a column that knows decimals much. The error of a writer into memory is none.
func (s *Sealer) packed(metrics []Metric) []byte {
	s.metrics, s.values = append(s.metrics[:0], metrics...), s.values[:0]
	for i := range s.metrics {
		if m := &s.metrics[i]; m.Value.Form == Real && !m.Null {
			s.values = append(s.values, math.Float64frombits(m.Value.Bits))
			m.Value = Value{}
		}
	}
	inner := Payload{Metrics: s.metrics}
	s.inner = inner.AppendTo(binary.LittleEndian.AppendUint32(s.inner[:0], 0))
	binary.LittleEndian.PutUint32(s.inner, uint32(len(s.inner)-4))
	if len(s.values) > 0 {
		s.inner = s.columns.AppendValues(s.inner, s.values)
	}
	s.out.Reset()
	if s.deflate == nil {
		s.deflate, _ = flate.NewWriter(&s.out, flate.DefaultCompression)
	} else {
		s.deflate.Reset(&s.out)
	}
	_, _ = s.deflate.Write(s.inner)
	_ = s.deflate.Close()
	return s.out.Bytes()
}

// signedBytes is what a signature covers: where the message goes, which session
// it is of, and all of it but the signature.
func signedBytes(topic string, session uint64, covered []byte, flags byte, content []byte) []byte {
	b := make([]byte, 0, len(SealUUID)+1+10+len(topic)+8+10+len(covered)+1+len(content))
	b = append(b, SealUUID...)
	b = append(b, 0)
	b = binary.AppendUvarint(b, uint64(len(topic)))
	b = append(b, topic...)
	b = binary.LittleEndian.AppendUint64(b, session)
	b = binary.AppendUvarint(b, uint64(len(covered)))
	b = append(b, covered...)
	b = append(b, flags)
	return append(b, content...)
}

// Opener reads what a Sealer has wrapped. It belongs to one goroutine.
type Opener struct {
	inflate io.ReadCloser
	plain   bytes.Buffer
	columns chunk.Columns
	values  []float64
}

// Open finishes the decoding of a message: b was decoded into p, came on the
// topic and is of the session. What is compressed is taken apart, into memory of
// the Opener. With keys only what was signed with one of them is taken (ErrForged);
// without one a signature is not looked at. There may be several keys, since a box
// that takes the place of another has its own.
func (o *Opener) Open(p *Payload, b []byte, topic string, session uint64, keys ...ed25519.PublicKey) error {
	if p.UUID != SealUUID {
		if len(keys) > 0 {
			return fmt.Errorf("%w: not signed", ErrForged)
		}
		return nil
	}
	body := p.Body
	if len(body) == 0 || body[0]&^sealKnown != 0 {
		return fmt.Errorf("%w: flags", ErrSeal)
	}
	flags, content := body[0], body[1:]
	if flags&sealSigned != 0 {
		if len(content) < ed25519.SignatureSize {
			return fmt.Errorf("%w: cut off", ErrSeal)
		}
		content = content[ed25519.SignatureSize:]
	}
	if len(keys) > 0 {
		// The body stands last; where it does not, what is taken for covered is
		// not what was signed.
		covered := b[:max(0, len(b)-len(body)-1-uvarintLen(uint64(len(body))))]
		if flags&sealSigned == 0 {
			return fmt.Errorf("%w: not signed", ErrForged)
		}
		signed, signature := signedBytes(topic, session, covered, flags, content), body[1:1+ed25519.SignatureSize]
		if !slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return ed25519.Verify(k, signed, signature) }) {
			return ErrForged
		}
	}
	if flags&sealDeflated == 0 {
		return nil
	}
	return o.unpack(p, content)
}

// unpack reads the metrics out of the body.
func (o *Opener) unpack(p *Payload, content []byte) error {
	if len(p.Metrics) > 0 {
		return fmt.Errorf("%w: metrics inside and outside", ErrSeal)
	}
	in := bytes.NewReader(content)
	if o.inflate == nil {
		o.inflate = flate.NewReader(in)
	} else if err := o.inflate.(flate.Resetter).Reset(in, nil); err != nil {
		return fmt.Errorf("%w: %w", ErrSeal, err)
	}
	o.plain.Reset()
	if _, err := o.plain.ReadFrom(io.LimitReader(o.inflate, MaxPayload+1)); err != nil {
		return fmt.Errorf("%w: %w", ErrSeal, err)
	}
	plain := o.plain.Bytes()
	if len(plain) < 4 || uint64(binary.LittleEndian.Uint32(plain)) > uint64(len(plain)-4) {
		return fmt.Errorf("%w: cut off", ErrSeal)
	}
	end := 4 + int(binary.LittleEndian.Uint32(plain))
	time, seq, has := p.Time, p.Seq, p.HasSeq
	if err := p.Decode(plain[4:end]); err != nil {
		return err
	}
	if p.Time != 0 || p.HasSeq || p.UUID != "" {
		return fmt.Errorf("%w: more than metrics inside", ErrSeal)
	}
	p.Time, p.Seq, p.HasSeq = time, seq, has
	return o.fill(p.Metrics, plain[end:])
}

// fill gives the metrics that have no value, and are not null, those of a column.
func (o *Opener) fill(metrics []Metric, column []byte) error {
	lacks := func(m *Metric) bool { return m.Value.Form == None && !m.Null }
	n := 0
	for i := range metrics {
		if lacks(&metrics[i]) {
			n++
		}
	}
	if n > 0 {
		o.values = slices.Grow(o.values[:0], n)[:n]
		o.columns.Reset(column)
		o.columns.Values(o.values)
		if !o.columns.OK() || o.columns.Rest() > 0 {
			return fmt.Errorf("%w: values of %d metrics", ErrSeal, n)
		}
	} else if len(column) > 0 {
		return fmt.Errorf("%w: values of no metric", ErrSeal)
	}
	left := o.values
	for i := range metrics {
		if m := &metrics[i]; lacks(m) {
			m.Value, left = DoubleValue(left[0]), left[1:]
		}
	}
	return nil
}

func uvarintLen(v uint64) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], v)
}

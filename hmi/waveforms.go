package hmi

import (
	"math"
	"net/http"
	"strconv"

	"millwright/plant"
)

// Bounds of a list of waveforms: each is read whole for its level.
const (
	maxWaveforms     = 1000
	defaultWaveforms = 100
)

type waveformBody struct {
	Time    stamp  `json:"t"`
	Rate    number `json:"rate"`
	N       int    `json:"n"`
	RMS     number `json:"rms"`
	Peak    number `json:"peak"`
	Quality string `json:"q"`
}

// waveforms lists the waveforms of a tag without their values.
func (s *Server) waveforms(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "tag", "from", "to", "limit", "after")
	from, to := q.span()
	limit := q.whole("limit", 1, maxWaveforms, defaultWaveforms)
	from = max(from, q.afterTime('w', from))
	tag, err := s.find(q)
	if err != nil {
		return err
	}
	out := []waveformBody{}
	var next *string
	for x, err := range s.History.Waveforms(r.Context(), plant.Range{Tag: tag.ID, From: from, To: to, Limit: limit + 1}) {
		if err != nil {
			return err
		}
		if len(out) == limit {
			next = cursor('w', strconv.FormatInt(x.Time, 10))
			break
		}
		rms, peak := x.Level()
		out = append(out, waveformBody{stamp(x.Time), number(x.Rate), len(x.Values), number(rms), number(peak), x.Quality.String()})
	}
	return send(w, struct {
		Tag       string         `json:"tag"`
		Unit      string         `json:"unit"`
		Waveforms []waveformBody `json:"waveforms"`
		Next      *string        `json:"next"`
	}{tag.Path, tag.Unit, out, next})
}

// single is a float32, null where it is not finite, with the fewest digits that
// read back as the same float32.
type single float32

// MarshalJSON writes the number or null.
func (n single) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if v-v != 0 {
		return []byte("null"), nil
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(make([]byte, 0, 16), v, format, -1, 32), nil
}

// waveform gives the values of one waveform of a tag: that of the parameter t, the
// newest one without it.
func (s *Server) waveform(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "t")
	at := plant.Millis(q.time("t"))
	if q.err != nil {
		return q.err
	}
	path := r.PathValue("tag")
	tag, ok := s.directory.tag(path)
	if !ok {
		return refuse(http.StatusNotFound, "tag: %.200q is unknown", path)
	}
	if q.text("t") == "" {
		x, err := s.History.LastWaveform(r.Context(), tag.ID)
		if err != nil {
			return err
		}
		if x.Tag == 0 {
			return refuse(http.StatusNotFound, "tag: it has no waveform yet")
		}
		return sendWaveform(w, tag, x)
	}
	for x, err := range s.History.Waveforms(r.Context(), plant.Range{Tag: tag.ID, From: at, To: at + 1, Limit: 1}) {
		if err != nil {
			return err
		}
		return sendWaveform(w, tag, x)
	}
	return refuse(http.StatusNotFound, "t: the tag has no waveform of that time; %s/waveforms lists them", apiBase)
}

func sendWaveform(w http.ResponseWriter, tag plant.Tag, x plant.Waveform) error {
	values := make([]single, len(x.Values))
	for i, v := range x.Values {
		values[i] = single(v)
	}
	return send(w, struct {
		Tag     string   `json:"tag"`
		Unit    string   `json:"unit"`
		Time    stamp    `json:"t"`
		Rate    number   `json:"rate"`
		Quality string   `json:"q"`
		Values  []single `json:"values"`
	}{tag.Path, tag.Unit, stamp(x.Time), number(x.Rate), x.Quality.String(), values})
}

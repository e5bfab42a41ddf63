package hmi

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// stamp is a time, ns UTC, as RFC 3339 in UTC with milliseconds.
type stamp int64

const stampLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the time in quotes.
func (t stamp) MarshalJSON() ([]byte, error) {
	return time.Unix(0, int64(t)).UTC().AppendFormat(make([]byte, 0, 26), `"`+stampLayout+`"`), nil
}

// when is nil (null) for a time that has not come.
func when(ns int64) *stamp {
	if ns == 0 {
		return nil
	}
	t := stamp(ns)
	return &t
}

// number is a float64, null where it is not finite. The digits are the fewest
// that read back as the same float64.
type number float64

// MarshalJSON writes the number or null.
func (n number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	// Very large and small values are shorter with an exponent.
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(nil, v, 'e', -1, 64), nil
	}
	return strconv.AppendFloat(make([]byte, 0, 24), v, 'f', -1, 64), nil
}

// optional is nil (null) for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// list makes an empty list of nil, so that it is [] and not null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// send answers with v as JSON.
func send(w http.ResponseWriter, v any) error { return sendAs(w, http.StatusOK, v) }

// sendAs answers with a status other than 200.
func sendAs(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A browser that has gone is nobody's fault.
	_, _ = w.Write(body)
	return nil
}

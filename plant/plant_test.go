package plant

import (
	"testing"
	"time"
)

func TestQualityNames(t *testing.T) {
	for q := range qualityNames {
		got, err := ParseQuality(q.String())
		if err != nil || got != q {
			t.Errorf("%v: read back as %v, %v", q, got, err)
		}
	}
	if q, err := ParseQuality(Quality(0x81234000).String()); err != nil || q != 0x81234000 {
		t.Errorf("a code without a name reads back as %v, %v", q, err)
	}
	if _, err := ParseQuality("fine"); err == nil {
		t.Error("an unknown name was read")
	}
}

func TestQualityBits(t *testing.T) {
	q := Good.WithOverflow()
	if !q.Overflow() || !q.IsGood() || q.WithoutInfo() != Good || q.String() != "Good" {
		t.Errorf("good with overflow: %#x %v", uint32(q), q)
	}
	if Good.Overflow() || !BadNoData.IsBad() || !StaleValue.IsUncertain() {
		t.Error("severity or overflow bit read wrongly")
	}
}

func TestMillis(t *testing.T) {
	f := func(ns, want int64) {
		t.Helper()
		if got := Millis(ns); got != want {
			t.Errorf("Millis(%d) = %d, want %d", ns, got, want)
		}
	}
	ms := int64(time.Millisecond)
	f(0, 0)
	f(ms-1, 0)
	f(ms, ms)
	f(-1, -ms)
}

func TestReadableRate(t *testing.T) {
	f := Finding{Kind: KindRate, Value: 0.05, Limit: 0.03, Unit: "°C/s"}
	if v, l, u := f.Readable(); v < 2.99 || v > 3.01 || l < 1.79 || l > 1.81 || u != "°C/min" {
		t.Errorf("%v against %v %s", v, l, u)
	}
	f.Limit = 2
	if v, l, u := f.Readable(); v != 0.05 || l != 2 || u != "°C/s" {
		t.Errorf("%v against %v %s", v, l, u)
	}
	f = Finding{Kind: "limit.high", Value: 0.05, Limit: 0.03, Unit: "m/s"}
	if v, _, u := f.Readable(); v != 0.05 || u != "m/s" {
		t.Errorf("a speed is no rate: %v %s", v, u)
	}
}

package notify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millwright/historian/notify/text"
	"millwright/plant"
)

// What a message asks for is an answer, in each language, as it stands there.
func TestAnswerAsAsked(t *testing.T) {
	for _, language := range []string{plant.English, plant.Urdu, plant.Russian} {
		c := text.Context{Purpose: plant.PurposeAlarm, Channel: "sms", Language: language, Now: 1, Zone: time.UTC, Code: "47",
			Alarm: plant.Alarm{ID: 1, State: plant.Unacked, Finding: finding("A", plant.Raise, 1)}}
		_, with := text.Write(c)
		i := strings.LastIndexAny(with, ".۔\n")
		if i < 0 {
			t.Fatalf("%q: no last sentence", with)
		}
		_, last, _ := strings.Cut(with[i:], " ")
		if !strings.Contains(last, "47") || strings.TrimSpace(last) == "47" {
			t.Fatalf("%q: the last sentence %q is not the one with the code", with, last)
		}
		if got, ok := code(last); got != "47" || !ok {
			t.Errorf("%s: %q is no answer: %q", language, last, got)
		}
	}
}

// What people write is no guess of a code: only wrong codes close the phone, and
// it says so once.
func TestWrongCodes(t *testing.T) {
	const ali = "+923001111111"
	r := crew()
	r.People[0].Contacts = r.People[0].Contacts[1:]
	inBubble(t, r, func(t *testing.T, w *works) {
		id := w.raise("A", 1)
		right := codeIn(t, w, w.expect(w.sms, "alarm ali")[0])
		answered := 0
		for i := range 20 {
			if w.sms.answer(ali, fmt.Sprintf("on my way, %d min", i)) != "" {
				answered++
			}
		}
		if answered != wrongPerHour {
			t.Errorf("%d answers to texts without a code", answered)
		}
		wrong := "11"
		if right == wrong {
			wrong = "12"
		}
		for i := range wrongPerHour {
			said := w.sms.answer(ali, wrong)
			if last := i == wrongPerHour-1; said == "" || strings.Contains(said, "http://plant:8080/") != last {
				t.Errorf("wrong code %d: %q", i, said)
			}
		}
		if said := w.sms.answer(ali, right); said != "" {
			t.Errorf("answered %q", said)
		}
		w.wait(time.Hour + time.Second)
		if said := w.sms.answer(ali, "Reply "+right+" 👍🏽"); !strings.HasPrefix(said, "OK") {
			t.Errorf("answered %q", said)
		}
		if a, err := w.book.Get(t.Context(), id); err != nil || a.State != plant.Acked {
			t.Errorf("%+v %v", a, err)
		}
	})
}

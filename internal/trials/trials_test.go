package trials_test

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/trials"
)

// step is one thing that happens to the tokens of a subject: "reject a" and
// "accept a" with the access token, "helped a" for a request that was made
// again with the new token, "wait" for 11 minutes.
type step string

func (s step) do(t *trials.Trials, now time.Duration) time.Duration {
	access := string(s[len(s)-1:])
	switch s[:4] {
	case "reje":
		t.Reject("7", access, now)
	case "rene":
		t.Renewing("7")
	case "acce":
		t.Accept("7", access, false, now)
	case "help":
		t.Accept("7", access, true, now)
	case "wait":
		return now + 11*time.Minute
	}
	return now + time.Second
}

func TestTrials(t *testing.T) {
	const s = 10 * time.Second
	for name, tt := range map[string]struct {
		steps []step
		want  time.Duration // the spacing for token z after that, and its rejection
	}{
		"nothing happened":             {nil, s},
		"one renewal":                  {[]step{"reject a"}, s},
		"one renewal did not help":     {[]step{"reject a", "reject b"}, 2 * s},
		"three did not help":           {[]step{"reject a", "reject b", "reject c", "reject d"}, 8 * s},
		"one token is rejected often":  {[]step{"reject a", "reject a", "reject a", "reject a"}, s},
		"very many did not help":       {[]step{"reject a", "reject b", "reject c", "reject d", "reject e", "reject f", "reject g", "reject h", "reject i"}, 60 * s},
		"the last one helped":          {[]step{"reject a", "reject b", "reject c", "helped d"}, s},
		"the rejected one is accepted": {[]step{"reject a", "reject b", "reject c", "helped c"}, s},
		"the rejections are long ago":  {[]step{"reject a", "reject b", "reject c", "wait"}, s},
		"accepted, and rejected again": {[]step{"reject a", "reject b", "reject c", "accept d"}, s},
		"accepted a second time":       {[]step{"reject a", "reject b", "reject c", "accept d", "reject d", "renewing", "accept e"}, 8 * s},
		"accepted long after":          {[]step{"reject a", "reject b", "reject c", "wait", "accept d"}, s},
	} {
		trials, now := trials.New(s), time.Duration(0)
		for _, step := range tt.steps {
			now = step.do(trials, now)
		}
		trials.Reject("7", "z", now)
		if got := trials.Spacing("7", "z"); got != tt.want {
			t.Errorf("%s: Spacing() = %v, want %v", name, got, tt.want)
		}
		if got := trials.Spacing("8", "z"); got != s {
			t.Errorf("%s: Spacing() of another subject = %v, want %v", name, got, s)
		}
	}
}

// While no renewal is in question, requests pay for one atomic load.
func TestTrialsAreNoneAfterARenewalThatHelped(t *testing.T) {
	trials := trials.New(time.Second)
	if !trials.None() {
		t.Error("None() = false at the start, want true")
	}
	trials.Reject("7", "a", 0)
	if trials.None() {
		t.Error("None() = true after a rejection, want false")
	}
	trials.Accept("7", "b", true, 0)
	if !trials.None() {
		t.Error("None() = false after a renewal that helped, want true")
	}
}

// The entry of a subject that is gone must not cost the others a lock for ever.
func TestTrialsAreForgotten(t *testing.T) {
	trials := trials.New(10 * time.Second)
	trials.Reject("gone", "a", 0)
	trials.Accept("7", "b", false, 11*time.Minute)
	if !trials.None() {
		t.Error("None() = false long after the last rejection, want true")
	}
}

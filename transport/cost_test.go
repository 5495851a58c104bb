package transport_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/transport"
)

// nowhere is a base that costs next to nothing: it checks the token, and returns a response without body.
type nowhere struct{ wantAuth int }

func (b nowhere) RoundTrip(req *http.Request) (*http.Response, error) {
	if auth := req.Header["Authorization"]; b.wantAuth > 0 && (len(auth) != 1 || len(auth[0]) != b.wantAuth) {
		return nil, errDown
	}
	if req.Body != nil {
		req.Body.Close()
	}
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

func costRequest(t testing.TB, body io.Reader) *http.Request {
	req := newRequest(t, "GET", api+"/2/users/me", body)
	for _, name := range []string{"Accept", "Accept-Language", "User-Agent", "X-Request-Id", "Traceparent", "Content-Type"} {
		req.Header.Set(name, "some value")
	}
	return req
}

func measure(t *testing.T, rt http.RoundTripper, req *http.Request) (allocs float64, bytes uint64) {
	send := func() {
		if _, err := rt.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
	}
	const runs = 2000
	allocs = testing.AllocsPerRun(runs, send)
	var before, after runtime.MemStats
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runtime.ReadMemStats(&before)
	for range runs {
		send()
	}
	runtime.ReadMemStats(&after)
	return allocs, (after.TotalAlloc - before.TotalAlloc) / runs
}

func TestT7_ThreeAllocationsWhateverTheToken(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	for i, length := range []int{43, 1000, 43} {
		retry := []*transport.RetryOptions{nil, nil, {}}[i] // retries that do not happen cost nothing
		src := newSource().set(&oauth2.Token{AccessToken: strings.Repeat("x", length), Expiry: time.Now().Add(time.Hour)})
		for _, body := range []io.Reader{nil, strings.NewReader("body")} {
			req := costRequest(t, body)
			base := nowhere{len("Bearer ") + length}
			allocs, size := measure(t, nowhere{}, req)
			gotAllocs, gotSize := measure(t, newTransport(t, src, base, transport.Options{Retry: retry}), req)
			if gotAllocs-allocs != 3 {
				t.Errorf("token of %d bytes: %v allocations over the base, want 3", length, gotAllocs-allocs)
			}
			if over := gotSize - size; over < 700 || over > 740 {
				t.Errorf("token of %d bytes: %d B over the base, want 720", length, over)
			}
		}
	}
}

func TestT7_ElsewhereItCostsNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	rt := newTransport(t, newSource(), nowhere{}, transport.Options{Origins: []string{"https://other.example"}})
	req := costRequest(t, nil)
	allocs, _ := measure(t, nowhere{}, req)
	if got, _ := measure(t, rt, req); got != allocs {
		t.Errorf("elsewhere: %v allocations over the base, want none", got-allocs)
	}
}

// Many subjects in turn keep their headers: only tokens whose slots collide cost a string now and then.
func TestT7_ManySubjects(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	toks := make([]*oauth2.Token, 64)
	for i := range toks {
		toks[i] = &oauth2.Token{AccessToken: strings.Repeat("x", 100+i)}
	}
	src := newSource()
	rt := newTransport(t, src, nowhere{}, transport.Options{})
	req := costRequest(t, nil)
	per := testing.AllocsPerRun(100, func() {
		for _, tok := range toks {
			src.set(tok)
			if _, err := rt.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
		}
	}) / float64(len(toks))
	if per > 4.5 { // 1 for the base, 3 for us, and the collisions
		t.Errorf("64 subjects in turn: %.2f allocations per request, want about 4", per)
	}
}

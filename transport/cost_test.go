package transport_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/transport"
)

// nowhere is a base that costs next to nothing: it checks the token, and
// returns a response without body.
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

// drain is a base before another one that reads the request body to its end.
type drain struct {
	http.RoundTripper
	want int
	buf  []byte // one for all requests: what a base allocates is not what is measured
}

func (d drain) RoundTrip(req *http.Request) (*http.Response, error) {
	got := 0
	for req.Body != nil {
		n, err := req.Body.Read(d.buf)
		if got += n; err != nil {
			break
		}
	}
	if got != d.want {
		return nil, fmt.Errorf("a body of %d bytes, want %d", got, d.want)
	}
	return d.RoundTripper.RoundTrip(req)
}

// looped is a body that begins again after Close, so that one request can be
// sent many times.
type looped struct{ *strings.Reader }

func (b looped) Close() error {
	_, err := b.Seek(0, io.SeekStart)
	return err
}

// withBody gives req a body that can be replayed. Here nothing is rejected, so
// that nobody may ask for it.
func withBody(t *testing.T, req *http.Request, size int) *http.Request {
	if size == 0 {
		return req
	}
	req.Method, req.Body, req.ContentLength = http.MethodPost, looped{strings.NewReader(strings.Repeat("b", size))}, int64(size)
	req.GetBody = func() (io.ReadCloser, error) {
		t.Error("GetBody was called though nothing was rejected")
		return nil, errDown
	}
	return req
}

func costRequest(t testing.TB, body io.Reader) *http.Request {
	req := newRequest(t, "GET", api+"/2/users/me", body)
	for _, name := range []string{"Accept", "Accept-Language", "User-Agent", "X-Request-Id", "Traceparent", "Content-Type"} {
		req.Header.Set(name, "some value")
	}
	return req
}

// measure returns what a request allocates, on average over runs of them:
// allocations rounded down, and bytes.
func measure(t *testing.T, runs int, rt http.RoundTripper, req *http.Request) (allocs float64, bytes uint64) {
	send := func() {
		if _, err := rt.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
	}
	allocs = testing.AllocsPerRun(runs, send)
	var before, after runtime.MemStats
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runtime.ReadMemStats(&before)
	for range runs {
		send()
	}
	runtime.ReadMemStats(&after)
	return allocs, (after.TotalAlloc - before.TotalAlloc) / uint64(runs)
}

const manyRuns = 2000 // what the runtime allocates meanwhile, for itself, is less than a byte of each

// T7: A request costs three allocations and 720 bytes, whatever the length of
// the token.
func TestT7_ThreeAllocationsWhateverTheToken(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	for i, length := range []int{43, 1000, 43} {
		retry := []*transport.RetryOptions{nil, nil, {}}[i] // retries that do not happen cost nothing
		src := &scopedSource{
			fakeSource: newSource().set(&oauth2.Token{AccessToken: strings.Repeat("x", length), Expiry: time.Now().Add(time.Hour)}),
			endpoints:  []string{api + "/2/oauth2/token", api + "/2/oauth2/revoke", api + "/oauth2/token"},
		}
		for _, body := range []int{0, 4 << 10} { // 720 B over the base: nothing of the body is kept
			req := withBody(t, costRequest(t, nil), body)
			base := func(auth int) http.RoundTripper { return drain{nowhere{auth}, body, make([]byte, 8<<10)} }
			allocs, size := measure(t, manyRuns, base(0), req)
			gotAllocs, gotSize := measure(t, manyRuns, newTransport(t, src, base(len("Bearer ")+length), transport.Options{Retry: retry}), req)
			if allocs, size := gotAllocs-allocs, gotSize-size; allocs != 3 || size != 720 {
				t.Errorf("token of %d bytes, body of %d: %v allocations and %d B over the base, want 3 and 720", length, body, allocs, size)
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
	allocs, _ := measure(t, manyRuns, nowhere{}, req)
	if got, _ := measure(t, manyRuns, rt, req); got != allocs {
		t.Errorf("elsewhere: %v allocations over the base, want none", got-allocs)
	}
}

// Many subjects in turn keep their headers: only tokens whose slots collide
// cost a string now and then.
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

package peers_test

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/bench/internal/peers"
)

// recorder is a base that keeps what it was sent.
type recorder struct {
	header http.Header
	url    string
	body   string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.header, r.url, r.body = req.Header.Clone(), req.Method+" "+req.URL.String(), ""
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		r.body = string(body)
		if err := req.Body.Close(); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: req}, nil
}

// transports returns all that the tables of requests compare, for the tokens of
// subject 0.
func transports(t *testing.T, base http.RoundTripper, length int) map[string]http.RoundTripper {
	t.Helper()
	users := peers.Users{Count: 1, TokenLength: length}
	list := map[string]http.RoundTripper{
		peers.XOAuth2All: peers.NewPerUser(base, users), peers.FloorAll: peers.NewFloorAll(base, users),
	}
	for _, peer := range peers.Transports() {
		rt, err := peer.New(base, peers.Token(length), peers.Origin)
		if err != nil {
			t.Fatalf("%s: %v", peer.Name, err)
		}
		list[peer.Name] = rt
	}
	e, err := peers.NewEngine(users)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for name, subject := range map[string]int{peers.Authtrip: 0, peers.AuthtripCtx: -1} {
		if list[name], err = e.Transport(base, peers.Origin, subject); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// TestTransportsDoTheSameWork sends requests through everything that is
// compared: the token goes with them, all that the caller has set goes too, and
// the caller's request stays as it was. Only azcore adds a header, and writes
// into the request: those it is given are its own.
func TestTransportsDoTheSameWork(t *testing.T) {
	for _, length := range []int{43, 1000} {
		for _, body := range []string{"", strings.Repeat("b", 4<<10)} {
			base := new(recorder)
			for name, rt := range transports(t, base, length) {
				sendsTheSame(t, name, rt, base, length, body)
			}
		}
	}
}

func sendsTheSame(t *testing.T, name string, rt http.RoundTripper, base *recorder, length int, body string) {
	t.Helper()
	ctx := peers.Context(0)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, peers.Origin+"/2/users/me?a=b", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"Accept", "Accept-Language", "User-Agent", "X-Request-Id", "Traceparent", "Content-Type"} {
		req.Header.Set(header, "value of "+header)
	}
	before := req.Header.Clone()
	for range 2 {
		req.Body = io.NopCloser(strings.NewReader(body))
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = resp.Body.Close()
		want := before.Clone()
		if name != peers.Base {
			want.Set("Authorization", "Bearer "+peers.Text(0, length))
		}
		if name == peers.Azure {
			maps.DeleteFunc(base.header, func(key string, _ []string) bool { return want[key] == nil })
			req.Header = before.Clone()
		}
		if !maps.EqualFunc(base.header, want, slices.Equal) || base.url != "POST "+peers.Origin+"/2/users/me?a=b" || base.body != body {
			t.Errorf("%s: sent %s, %d headers, %d bytes, which is not what was asked for, or lacks the token", name, base.url, len(base.header), len(base.body))
		}
		if !maps.EqualFunc(req.Header, before, slices.Equal) {
			t.Errorf("%s: the caller's request was changed", name)
		}
	}
}

// A key that Header.Set does not write would go out as a second Authorization
// header. The floors find it, as authtrip does: what they skip would make them
// no measure of a correct wrapper.
func TestFloorsSendOneAuthorization(t *testing.T) {
	base := new(recorder)
	all := transports(t, base, 43)
	for _, name := range []string{peers.Floor, peers.FloorAll, peers.Authtrip, peers.AuthtripCtx} {
		ctx := peers.Context(0)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, peers.Origin, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["AUTHORIZATION"] = []string{"of the caller"}
		resp, err := all[name].RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = resp.Body.Close()
		if want := (http.Header{"Authorization": {"Bearer " + peers.Text(0, 43)}}); !maps.EqualFunc(base.header, want, slices.Equal) {
			t.Errorf("%s: sent %d headers, want one of authorization", name, len(base.header))
		}
	}
}

// Each user's request carries that user's token.
func TestEachUserHasATokenOfItsOwn(t *testing.T) {
	base := new(recorder)
	for _, users := range []peers.Users{{Count: 100, TokenLength: 43}, {Count: 100, NameLength: peers.UUIDName, TokenLength: 43}} {
		e, err := peers.NewEngine(users)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		ours, err := e.Transport(base, peers.Origin, -1)
		if err != nil {
			t.Fatal(err)
		}
		for name, rt := range map[string]http.RoundTripper{
			peers.AuthtripAll: ours, peers.FloorAll: peers.NewFloorAll(base, users), peers.XOAuth2All: peers.NewPerUser(base, users),
		} {
			seen := map[string]bool{}
			for _, ctx := range append(users.Contexts(), users.Zipf(300)...) {
				subject := peers.SubjectOf(ctx)
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, peers.Origin, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				_ = resp.Body.Close()
				number := strings.TrimLeft(subject, "0")
				if got := strings.TrimLeft(strings.TrimPrefix(base.header.Get("Authorization"), "Bearer "), "0"); got != number {
					t.Fatalf("%s: user %q was sent with the token of %q", name, number, got)
				}
				seen[subject] = true
			}
			if len(seen) != users.Count {
				t.Errorf("%s: %d users came, want %d", name, len(seen), users.Count)
			}
		}
	}
}

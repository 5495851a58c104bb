package transport_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// hook collects events.
type hook struct {
	mu     sync.Mutex // guards events
	events []tokensource.Event
}

func (h *hook) on(_ context.Context, e tokensource.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// origins returns the origins of the events.
func (h *hook) origins() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, e := range h.events {
		list = append(list, e.Origin)
	}
	return strings.Join(list, ", ")
}

// T10: A request that gets no token is reported with origin and reason, and
// refused if Options.Strict is set and its context names a subject.
func TestT10_ARequestWithoutATokenIsNoticed(t *testing.T) {
	const ads = "https://ads-api.x.com"
	tests := []struct {
		name      string
		url       string
		key       string // of the caller's credential among the headers
		noSubject bool
		origin    string // reported
		strict    bool   // refused if strict
	}{
		{name: "an origin that is listed", url: api + "/me"},
		{name: "an origin that is not listed", url: ads + "/12/accounts?q=" + canary, origin: ads, strict: true},
		{name: "another port", url: api + ":8443/me", origin: api + ":8443", strict: true},
		{name: "http", url: "http://api.example/me", origin: "http://api.example", strict: true},
		{name: "a user name in the URL", url: "https://u:" + canary + "@elsewhere.example/", origin: "https://elsewhere.example", strict: true},
		{name: "an origin that is not listed, without a subject", url: ads, noSubject: true, origin: ads},
		{name: "a credential of its own", url: ads, key: "Authorization"},
		{name: "a credential of its own, under a key in lower case", url: ads, key: "authorization"},
		{name: "an endpoint of the authorization server", url: api + "/token"},
		{name: "an endpoint at another origin", url: "https://as.example/token"},
	}
	for _, tt := range tests {
		for _, strict := range []bool{false, true} {
			h, base := &hook{}, &script{answers: []answer{ok200}}
			src := &scopedSource{fakeSource: newSource(), endpoints: []string{api + "/token", "https://as.example/token"}}
			rt := newTransport(t, src, base, transport.Options{OnEvent: h.on, Strict: strict})
			body := &trackedBody{Reader: strings.NewReader("body")}
			req := newRequest(t, "POST", tt.url, body)
			if !tt.noSubject {
				req = req.WithContext(named(req.Context(), "7"))
			}
			if tt.key != "" {
				req.Header[tt.key] = []string{"Basic mine"}
			}
			resp, err := rt.RoundTrip(req.WithContext(tokensource.WithCorrelationID(req.Context(), "call-1")))
			if err == nil {
				resp.Body.Close()
			}
			if got := h.origins(); got != tt.origin {
				t.Errorf("%s: reported origins = %q, want %q", tt.name, got, tt.origin)
			}
			for _, e := range h.events {
				if e.Kind != transport.EventWithoutToken || !errors.Is(e.Err, transport.ErrOtherOrigin) || e.CorrelationID != "call-1" || e.Time.IsZero() {
					t.Errorf("%s: the event = %+v, want its kind, reason, time and correlation ID", tt.name, e)
				}
			}
			if refused := strict && tt.strict; errors.Is(err, transport.ErrOtherOrigin) != refused || (len(base.sent) == 0) != refused {
				t.Errorf("%s, strict %t: RoundTrip = %v after %d requests, want a refusal: %t", tt.name, strict, err, len(base.sent), refused)
			}
			if body.closed.Load() != 1 {
				t.Errorf("%s: the body was closed %d times, want once", tt.name, body.closed.Load())
			}
			exposure.Check(t, "the error", err, canary)
		}
	}
}

// A source without a token for the request is a reason too.
func TestT10_ASourceWithoutATokenIsReported(t *testing.T) {
	for name, src := range map[string]tokensource.Source{
		"Bearer":              &fakeSource{origins: []string{api}, tokenErr: tokensource.ErrNoSubject},
		"a RequestAuthorizer": &provingSource{fakeSource: newSource(), err: tokensource.ErrNoSubject},
	} {
		h := &hook{}
		rt := newTransport(t, src, &script{answers: []answer{ok200}}, transport.Options{OnEvent: h.on})
		resp, err := rt.RoundTrip(newRequest(t, "GET", api+"/me", nil))
		if err == nil {
			resp.Body.Close()
		}
		if len(h.events) != 1 || h.events[0].Origin != api || !errors.Is(h.events[0].Err, tokensource.ErrNoSubject) || !errors.Is(err, tokensource.ErrNoSubject) {
			t.Errorf("%s: events = %+v, error = %v, want one event with the error of the source", name, h.events, err)
		}
	}
}

// In a stack each request gets a token from one of the Transports. That is no
// request without a token.
func TestT10_StackedTransports(t *testing.T) {
	const a, b, c = "https://a.example", "https://b.example", "https://c.example"
	for name, between := range map[string]func(http.RoundTripper) http.RoundTripper{
		"directly":            func(rt http.RoundTripper) http.RoundTripper { return rt },
		"with one in between": func(rt http.RoundTripper) http.RoundTripper { return &late{rt} },
	} {
		outer, inner, base := &hook{}, &hook{}, &script{answers: []answer{ok200}}
		srcB := newSource().set(&oauth2.Token{AccessToken: "b"})
		rtB := newTransport(t, srcB, base, transport.Options{Origins: []string{b}, OnEvent: inner.on, Strict: true})
		srcA := newSource().set(&oauth2.Token{AccessToken: "a"})
		rtA := newTransport(t, srcA, between(rtB), transport.Options{Origins: []string{a}, OnEvent: outer.on, Strict: name == "directly"})
		for _, u := range []string{a, b, c} {
			req := newRequest(t, "GET", u, nil)
			resp, err := rtA.RoundTrip(req.WithContext(named(req.Context(), "7")))
			if err == nil {
				resp.Body.Close()
			}
			if refused := errors.Is(err, transport.ErrOtherOrigin); refused != (u == c) {
				t.Errorf("%s: RoundTrip(%s) = %v, want a refusal of c alone", name, u, err)
			}
		}
		if got := base.auths(); got != "Bearer a, Bearer b" {
			t.Errorf("%s: sent with %q, want the token of a and of b", name, got)
		}
		wantOuter, wantInner := c, ""
		if name != "directly" {
			wantOuter, wantInner = b+", "+c, c // what the other RoundTripper does cannot be known
		}
		if outer.origins() != wantOuter || inner.origins() != wantInner {
			t.Errorf("%s: reported %q and %q, want %q and %q", name, outer.origins(), inner.origins(), wantOuter, wantInner)
		}
	}
}

// Where the origin of an API comes with the grant, the Transport below decides
// whether the request gets a token.
func TestT10_AnOriginOfAGrantInAStack(t *testing.T) {
	const na1, na2 = "https://na1.force.example", "https://na2.force.example"
	for _, tt := range []struct{ url, auth, outer, inner string }{
		{na1 + "/a", "Bearer tok-1", "", ""},
		{na2 + "/a", "", "", na2},
		{na1 + "/token", "", "", ""},
		{"https://elsewhere.example/", "refused", "https://elsewhere.example", ""},
	} {
		var outer, inner hook
		base := &script{answers: []answer{ok200}}
		below := newTransport(t, grantSource{newSource(), na1}, base, transport.Options{OnEvent: inner.on})
		rt := newTransport(t, newSource(), below, transport.Options{OnEvent: outer.on, Strict: true})
		req := newRequest(t, "GET", tt.url, nil)
		resp, err := rt.RoundTrip(req.WithContext(named(req.Context(), "8")))
		got := "refused"
		if err == nil {
			resp.Body.Close()
			got = base.auths()
		}
		if got != tt.auth || outer.origins() != tt.outer || inner.origins() != tt.inner {
			t.Errorf("%s: sent with %q (%v), events of %q and %q, want %q, and %q and %q", tt.url, got, err, outer.origins(), inner.origins(), tt.auth, tt.outer, tt.inner)
		}
	}
}

// A redirect to another origin gets no token. A strict Transport refuses it.
func TestT10_ARedirectElsewhereIsNoticed(t *testing.T) {
	base := &script{answers: []answer{{status: 302, header: http.Header{"Location": {"https://elsewhere.example/"}}}, ok200}}
	h := &hook{}
	client := &http.Client{Transport: newTransport(t, newSource(), base, transport.Options{OnEvent: h.on, Strict: true})}
	req := newRequest(t, "GET", api, nil)
	resp, err := client.Do(req.WithContext(named(req.Context(), "7")))
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, transport.ErrOtherOrigin) || len(base.sent) != 1 || h.origins() != "https://elsewhere.example" {
		t.Errorf("Do = %v after %d requests, reported %q, want the refusal of the redirect", err, len(base.sent), h.origins())
	}
}

// A hook may send its event through the same client: that is not reported
// again.
func TestT10_AHookMaySendRequests(t *testing.T) {
	base := &script{answers: []answer{ok200}}
	everything, n := &late{}, 0
	hc := &http.Client{Transport: everything, Timeout: time.Minute}
	everything.rt = newTransport(t, newSource(), base, transport.Options{Strict: true, OnEvent: func(ctx context.Context, _ tokensource.Event) {
		if n++; n > 1 {
			return
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://audit.example", nil)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := hc.Do(req)
		if err != nil {
			t.Errorf("the request of the hook = %v, want it sent", err)
			return
		}
		resp.Body.Close()
	}})
	roundTrip(t, everything, newRequest(t, "GET", "https://elsewhere.example", nil))
	if n != 1 || len(base.sent) != 2 {
		t.Errorf("%d events and %d requests, want one event, and the request and that of the hook", n, len(base.sent))
	}
}

package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// wire is a RoundTripper that tells the timeline what the app sends and what
// comes back. It stands below authtrip's own transport, so that it sees every
// request that leaves: the rejected call, the refresh, and the replay.
type wire struct {
	base     http.RoundTripper
	timeline *timeline
	provider *provider.Provider
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, form := copyForm(req)
	resp, err := w.base.RoundTrip(sent)
	r := row{From: theApp, To: api, Method: req.Method, Path: req.URL.Path, Status: noAnswer, Note: credentials(req)}
	if resp != nil {
		r.Status = resp.StatusCode
	}
	values := form.values()
	if endpoint := req.URL.String(); endpoint == w.provider.TokenURL || endpoint == w.provider.RevocationURL {
		r.To = authServer
		r.Note = redacted(values)
	}
	count := countOf(r, values)
	w.timeline.add(r, count)
	if t, ok := req.Context().Value(tallyKey{}).(*tally); ok {
		t.rejected.Add(int64(count.Rejected))
		t.refreshes.Add(int64(count.Refreshes))
	}
	return resp, err
}

func countOf(r row, form url.Values) (c counters) {
	switch {
	case r.To == api:
		c.Calls = 1
		if r.Status == http.StatusUnauthorized {
			c.Rejected = 1
		}
	case form.Get("grant_type") == "refresh_token":
		c.Refreshes = 1
	case form.Get("grant_type") == "authorization_code":
		c.Logins = 1
	}
	return c
}

// credentials says how a request authenticates itself, without what it does so
// with.
func credentials(req *http.Request) string {
	scheme, _, found := strings.Cut(req.Header.Get("Authorization"), " ")
	if !found {
		return ""
	}
	return scheme + " " + mask
}

// tally counts what one click led to. It travels in the context: the engine
// hands the context's values on to the refresh that it makes for the first of
// all who wait.
type tally struct{ rejected, refreshes atomic.Int64 }

type tallyKey struct{}

func withTally(ctx context.Context) (context.Context, *tally) {
	t := new(tally)
	return context.WithValue(ctx, tallyKey{}, t), t
}

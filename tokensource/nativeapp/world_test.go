package nativeapp_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// world is a fake server, and a program on the machine of a user.
type world struct {
	*testing.T
	fake     *oauthtest.Server
	keeper   *grant.Keeper
	redirect string
	changed  func(*provider.Provider)
	sent     []*http.Request // to the API and elsewhere
}

// apiOptions are those of a client whose requests the world answers.
func (w *world) apiOptions() *transport.Options {
	return &transport.Options{Base: roundTripper(func(r *http.Request) (*http.Response, error) {
		w.sent = append(w.sent, r)
		if r.URL.Host == "elsewhere.example" {
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
		}
		return w.fake.Transport().RoundTrip(r)
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, fake: oauthtest.New(t, nil), redirect: "http://127.0.0.1/callback"}
	return w
}

// registered lets the fake know the app, with its redirect URL at any port.
func (w *world) registered() {
	w.Helper()
	app := oauthtest.PublicApp()
	app.RedirectURLs = []string{w.redirect}
	if err := w.fake.Register(app); err != nil {
		w.Fatal(err)
	}
	w.fake.Set(func(k *oauthtest.Knobs) { k.Authorize.AnyLoopbackPort = true })
}

// client returns the client of the app.
func (w *world) client() *oauth.Client {
	w.Helper()
	p := w.fake.Provider("")
	p.AnyLoopbackPort = true
	if w.changed != nil {
		w.changed(p)
	}
	client, err := oauth.New(p, oauth.Registration{
		ClientID: oauthtest.PublicApp().ClientID, RedirectURL: w.redirect,
	}, &oauth.Options{HTTPClient: &http.Client{Transport: w.fake.Transport()}})
	if err != nil {
		w.Fatal(err)
	}
	return client
}

// app returns the App under test.
func (w *world) app(o *nativeapp.Options) *nativeapp.App {
	w.Helper()
	w.registered()
	keeper, err := grant.New(w.client(), storage.NewMemory(), &grant.Options{DueInterval: -1})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = keeper.Close() })
	w.keeper = keeper
	app, err := nativeapp.New(keeper, o)
	if err != nil {
		w.Fatal(err)
	}
	return app
}

// browser is the browser of a person who consents. Before it goes to the answer
// it calls meanwhile with the URL of the answer, if that is set.
func (w *world) browser(meanwhile func(answer *url.URL)) func(context.Context, string) error {
	return func(ctx context.Context, target string) error {
		answer, err := w.fake.Authorize(ctx, "", target)
		if err != nil {
			return err
		}
		u, err := url.Parse(answer)
		if err != nil {
			return err
		}
		go func() {
			if meanwhile != nil {
				meanwhile(u)
			}
			w.get(u.String())
		}()
		return nil
	}
}

// get visits a page, and returns its status and its text.
func (w *world) get(target string) (int, string) {
	return w.visit(http.MethodGet, target, nil)
}

// visit sends a request with some headers, of which Host is the host.
func (w *world) visit(method, target string, header http.Header) (int, string) {
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		w.Error(err)
		return 0, ""
	}
	maps.Copy(req.Header, header)
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var text strings.Builder
	_ = resp.Write(&text) // with the headers
	return resp.StatusCode, text.String()
}

// stored reports whether the user has a grant that works.
func (w *world) stored(subject string) bool {
	w.Helper()
	tok, err := w.keeper.Source(subject).Token(w.Context())
	if errors.Is(err, tokensource.ErrNoGrant) {
		return false
	}
	if err != nil {
		w.Fatal(err)
	}
	return w.fake.Token(tok.AccessToken).Dead == ""
}

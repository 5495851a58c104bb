package everyserver_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// badly are responses of Shopify that must be refused: what they are, and what
// they have in place of what is right.
var badly = map[string]url.Values{
	"no signature":                                 {"hmac": nil},
	"an empty signature":                           {"hmac": {""}},
	"a wrong signature":                            {"hmac": {strings.Repeat("0", 64)}},
	"a signature that is no hexadecimal":           {"hmac": {"signature"}},
	"the signature of another shop that was asked": {"shop": {"other.myshopify.com"}},
	"no shop":            {"shop": nil},
	"two shops":          {"shop": {"acme.myshopify.com", "other.myshopify.com"}},
	"a shop in capitals": {"shop": {"ACME.myshopify.com"}},
}

func shopify(t *testing.T) *provider.Provider {
	t.Helper()
	p, err := provider.Shopify("acme.myshopify.com")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A callback that Shopify has not signed, or that is of another shop, is
// refused before any request, and does not use the login up.
func TestCallbackThatShopifyDidNotSign(t *testing.T) {
	for name, params := range badly {
		a := newApp(t, shopify(t), oauthtest.ConfidentialApp())
		request := a.open(http.MethodGet, "/authorize?return_to=/me").Header.Get("Location")
		a.fake.Set(func(k *oauthtest.Knobs) { k.Authorize.ExtraParams = params })
		bad := a.answer(request)
		a.fake.Set(func(k *oauthtest.Knobs) { k.Authorize.ExtraParams = nil })
		good := a.answer(request)
		a.refuse = true
		if resp := a.open(http.MethodGet, bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: callback = %d to %q, want 400", name, resp.StatusCode, resp.Header.Get("Location"))
		}
		if n := a.fake.TokenCalls("authorization_code"); n != 0 {
			t.Errorf("%s: %d codes were sent, want none", name, n)
		}
		if resp := a.open(http.MethodGet, good); resp.Header.Get("Location") != "/me" {
			t.Errorf("%s: the right callback afterwards = %d to %q, want /me", name, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

// A parameter that somebody adds to a callback is refused too: all of them are
// signed.
func TestCallbackWithAnAddedParameter(t *testing.T) {
	a := newApp(t, shopify(t), oauthtest.ConfidentialApp())
	callback := a.answer(a.open(http.MethodGet, "/authorize").Header.Get("Location"))
	a.refuse = true
	for _, added := range []string{"&host=evil.example", "&shop=other.myshopify.com", "&%zz", "&a;b"} {
		if resp := a.open(http.MethodGet, callback+added); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("callback with %q = %d, want 400", added, resp.StatusCode)
		}
	}
}

// answer lets the user consent, and returns path and query of the callback.
func (a *app) answer(request string) string {
	a.t.Helper()
	callback, err := a.fake.Authorize(a.t.Context(), "", request)
	if err != nil {
		a.t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		a.t.Fatal(err)
	}
	return u.RequestURI()
}

// A program without a web server refuses them too, and its login ends.
func TestLoopbackThatShopifyDidNotSign(t *testing.T) {
	for name, params := range badly {
		err := loopback(t, params)
		if !errors.Is(err, nativeapp.ErrResponse) {
			t.Errorf("%s: Loopback = %v, want ErrResponse", name, err)
		}
	}
	if err := loopback(t, nil); err != nil {
		t.Errorf("a signed response: Loopback = %v", err)
	}
}

// loopback logs in at Shopify, whose response has the parameters in place of
// the right ones.
func loopback(t *testing.T, params url.Values) error {
	t.Helper()
	p, registered := shopify(t), oauthtest.ConfidentialApp()
	fake := oauthtest.New(t, &oauthtest.Options{Provider: p})
	registered.RedirectURLs = []string{"http://127.0.0.1/callback"}
	if err := fake.Register(registered); err != nil {
		t.Fatal(err)
	}
	fake.Set(func(k *oauthtest.Knobs) { k.Authorize.AnyLoopbackPort, k.Authorize.ExtraParams = true, params })
	client, err := oauth.New(p, oauth.Registration{
		ClientID: registered.ClientID, Credential: oauth.Secret(registered.Secret()), RedirectURL: registered.RedirectURLs[0], Scopes: []string{"read"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), &grant.Options{InsecurePlainStore: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keeper.Close() })
	app, err := nativeapp.New(keeper, &nativeapp.Options{AnyPort: true, Open: func(ctx context.Context, target string) error {
		answer, err := fake.Authorize(ctx, "", target)
		if err != nil {
			return err
		}
		go func() {
			r, err := http.NewRequest(http.MethodGet, answer, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
				resp.Body.Close()
			}
		}()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.Loopback(t.Context(), nil)
	if n := fake.TokenCalls("authorization_code"); params != nil && n != 0 {
		t.Errorf("%v: %d codes were sent, want none", params, n)
	}
	return err
}

// A client without the secret cannot check a signature.
func TestShopifyWithoutASecret(t *testing.T) {
	assertion := oauth.AssertionFunc(func(context.Context) (string, error) { return "assertion", nil })
	for name, credential := range map[string]oauth.Credential{"a public client": {}, "a client with assertions": assertion} {
		if _, err := oauth.New(shopify(t), oauth.Registration{
			ClientID: "app", RedirectURL: "https://app.example/callback", Credential: credential,
		}, nil); err == nil {
			t.Errorf("%s: New = nil error, want one", name)
		}
	}
}

// The secret may change while a user is at Shopify, which then signs with the
// new one.
func TestShopifySecretChanges(t *testing.T) {
	p, registered := shopify(t), oauthtest.ConfidentialApp()
	registered.RedirectURLs = []string{"https://app.example/callback"}
	fake := oauthtest.New(t, &oauthtest.Options{Provider: p})
	if err := fake.Register(registered); err != nil {
		t.Fatal(err)
	}
	answers := []string{"the old secret", registered.Secret()}
	client, err := oauth.New(p, oauth.Registration{
		ClientID: registered.ClientID, RedirectURL: registered.RedirectURLs[0], Scopes: []string{"read"},
		Credential: oauth.SecretFunc(func(context.Context) (string, error) {
			secret := answers[0]
			answers = answers[1:]
			return secret, nil
		}),
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	request, err := client.Authorize(t.Context(), "state", strings.Repeat("v", 43), nil)
	if err != nil {
		t.Fatal(err)
	}
	callback, err := fake.Authorize(t.Context(), "", request)
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(callback, "?")
	if err := client.CheckResponse(t.Context(), query); err != nil {
		t.Errorf("CheckResponse with a changed secret = %v, want nil", err)
	}
}

package oauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// verbs are all of fmt's, with flags and without, and one that does not exist. Of %p and %w fmt asks no method of a plain
// struct, and go vet refuses them there: pointerVerbs are for what is no plain struct.
var (
	verbs        = strings.Fields("%v %+v %#v %s %+s %#s %q %+q %#q %x %X %#x %d %+d %t %T %b %o %O %U %#U %e %g %G %c %z %10.3v %-5s")
	pointerVerbs = strings.Fields("%p %#p %w")
)

// wantNoSecret fails if text holds one of secrets, as it is or in hexadecimal or base64.
func wantNoSecret(t *testing.T, what, text string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		forms := []string{s, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))), base64.StdEncoding.EncodeToString([]byte(s))}
		for _, form := range forms {
			if strings.Contains(text, form) {
				t.Errorf("%s tells the secret %s: %.300s", what, s, text)
				return
			}
		}
	}
}

// printed returns v in every way that programs print or log values.
func printed(v any, pointers ...string) map[string]string {
	out := map[string]string{"Sprint": fmt.Sprint(v), "Errorf": fmt.Errorf("x: %v", v).Error()}
	for _, verb := range slices.Concat(verbs, pointers) {
		out[verb] = fmt.Sprintf(verb, v)
	}
	if text, err := json.Marshal(v); err == nil {
		out["JSON"] = string(text)
	}
	if text, err := json.MarshalIndent(map[string]any{"k": v}, "", " "); err == nil {
		out["JSON in a map"] = string(text)
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("m", "v", v, slog.Group("g", "v", v))
		slog.New(h).With("v", v).WithGroup("g").Info("m")
	}
	out["slog"] = log.String()
	return out
}

// wrapped returns v, and v in whatever values are kept in.
func wrapped(v any) map[string]any {
	rv := reflect.ValueOf(v)
	pointer := reflect.New(rv.Type())
	pointer.Elem().Set(rv)
	slice := reflect.MakeSlice(reflect.SliceOf(rv.Type()), 1, 1)
	slice.Index(0).Set(rv)
	structure := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Field", Type: rv.Type()}, {Name: "Err", Type: reflect.TypeFor[error]()}}))
	structure.Elem().Field(0).Set(rv)
	return map[string]any{
		"itself": v, "pointer": pointer.Interface(), "slice": slice.Interface(),
		"struct": structure.Elem().Interface(), "pointer to struct": structure.Interface(),
		"interface": struct{ Any any }{v}, "slice of interfaces": []any{v}, "map": map[string]any{"k": v},
	}
}

// holder is how programs keep such values: fmt may call no method of an unexported field.
type holder struct {
	client  *oauth.Client
	grants  *grant.Keeper
	subject *grant.Source
	app     *derived.AppSource
	static  *tokensource.StaticSource
	other   *tokensource.OAuth2Source
	bridge  oauth2.TokenSource
	source  tokensource.Source
}

// canaries returns a value of every type that can hold a secret, and the secrets in them.
func canaries(t *testing.T) (values []any, secrets []string) {
	w := newWorld(t)
	g := w.Process(nil)
	tok := w.Login(g)
	subject := g.Source(w.User)
	w.Token(g)
	if _, err := subject.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := w.app(keys())
	appToken, err := app.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const staticToken, foreignToken = "canary-static-t0ken", "canary-foreign-t0ken"
	static, err := tokensource.Static(staticToken)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := tokensource.FromOAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: foreignToken, RefreshToken: foreignToken}))
	if err != nil {
		t.Fatal(err)
	}
	bridge := tokensource.ToOAuth2(t.Context(), subject)
	facts, err := g.Grant(t.Context(), w.User)
	if err != nil {
		t.Fatal(err)
	}
	stored := onlyRecord(t, w.Store.Store)
	inspected, err := grant.Inspect(stored.key, stored.Value)
	if err != nil {
		t.Fatal(err)
	}
	_, refused := w.Client.Exchange(t.Context(), someCode, rfcVerifier)
	failure, _ := errors.AsType[*tokensource.Error](refused)
	form := url.Values{"code": {someCode}, "refresh_token": {tok.RefreshToken}}
	s := confidential()
	secrets = []string{
		s.r.ClientSecret, keys().Secret, tok.AccessToken, tok.RefreshToken, appToken.AccessToken, staticToken, foreignToken,
		someCode, rfcVerifier, "canary-st4te",
	}
	return []any{
		s.r, w.Client, keys(), app, static, foreign, bridge, g, subject, facts, inspected, failure, *failure, refused,
		oauth.AuthorizationRequest{State: "canary-st4te", Verifier: rfcVerifier},
		oauth.TokenRequest{Op: "exchange", URL: "https://api.x.com", Params: form, Header: http.Header{"Authorization": secrets}},
		grant.Event{Kind: grant.EventDied, Subject: w.User, Err: refused}, w.Client.Provider(),
		holder{w.Client, g, subject, app, static, foreign, bridge, subject}, &holder{source: static, bridge: bridge},
	}, secrets
}

func TestValuesTellNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values, secrets := canaries(t)
		synctest.Wait() // fmt looks into what it is given: nothing may be at work in there
		for _, v := range values {
			var pointers []string
			if reflect.TypeOf(v).Kind() != reflect.Struct {
				pointers = pointerVerbs
			}
			for how, value := range wrapped(v) {
				for verb, text := range printed(value, pointers...) {
					wantNoSecret(t, fmt.Sprintf("%T, %s, %s", v, how, verb), text, secrets)
				}
			}
		}
	})
}

// What is printed in place of the secrets still says what a value is.
func TestValuesSayWhatTheyAre(t *testing.T) {
	w := newWorld(t)
	s, unused := confidential(), (*oauth.Client)(nil)
	tests := []struct {
		value any
		want  string
	}{
		{s.r, `Registration{ClientID: "` + s.r.ClientID + `", ClientSecret: "REDACTED"`},
		{public().r, `ClientSecret: ""`},
		{w.Client, "Client{x, Registration{"},
		{unused, "Client(nil)"},
		{(*grant.Keeper)(nil), "Grants(nil)"},
		{w.Process(nil), "Grants{Client{x, "},
		{keys(), `AppCredentials{ID: "` + keys().ID + `", Secret: "REDACTED"`},
		{w.app(keys()), "AppSource{x}"},
		{oauth.AuthorizationRequest{State: "a", Params: url.Values{"b": nil}}, `{State: "REDACTED", Verifier: "", 1 further parameters}`},
		{oauth.TokenRequest{Op: "refresh", URL: "https://as.example/token"}, "TokenRequest{refresh https://as.example/token}"},
	}
	for _, tt := range tests {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			if got := fmt.Sprintf(verb, tt.value); !strings.Contains(got, tt.want) {
				t.Errorf("Sprintf(%q, %T) = %q, want %q in it", verb, tt.value, got, tt.want)
			}
		}
	}
}

// Every operation fails at a server that tells everybody what it was sent.
func TestErrorsTellNoSecret(t *testing.T) {
	s := confidential()
	const access = "canary-access-t0ken"
	secrets := []string{someCode, rfcVerifier, someRefresh, access, s.r.ClientSecret, keys().Secret}
	echo := strings.Join(secrets, " ")
	body := `{"error":"` + echo + `","error_description":"` + echo + `","error_uri":"https://as.example/?` + echo + `"}`
	ownHeader := http.Header{"Location": {"https://elsewhere.test/?" + url.QueryEscape(echo)}, "Retry-After": {"60"}, "Www-Authenticate": {echo}}
	var faults []oauthtest.Fault
	for _, status := range []int{200, 201, 302, 307, 400, 401, 403, 404, 429, 500, 503} {
		faults = append(faults,
			oauthtest.Fault{Status: status, Body: body, ContentType: "application/json", Header: ownHeader},
			oauthtest.Fault{Status: status, Body: echo, Header: ownHeader},
			oauthtest.Fault{Status: status, Body: `{"access_token":"` + echo + `"}`, ContentType: "application/json"},
			oauthtest.Fault{Status: status, Body: `{"` + echo + `":1,"` + echo + `":2}`, ContentType: "application/json"},
			oauthtest.Fault{Status: status, Body: echo, ContentType: echo},
		)
	}
	faults = append(faults, oauthtest.Fault{Drop: true}, oauthtest.Fault{Reset: true}, oauthtest.Fault{BadCertificate: true})
	calls := append([]operation{{"identity", func(ctx context.Context, c *oauth.Client) error {
		_, err := c.Identity(ctx, &oauth2.Token{AccessToken: access})
		return err
	}}}, operations...)
	for _, fault := range faults {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, fault, -1)
		for _, op := range calls {
			err := op.run(t.Context(), w.Client)
			// An operation can only know the secrets that it has sent itself.
			for verb, text := range printed(struct{ Err error }{err}) {
				wantNoSecret(t, fmt.Sprintf("%s, status %d, %s", op.name, fault.Status, verb), text, sentBy(op.name, secrets))
			}
		}
		_, err := w.app(keys()).Token(t.Context())
		for verb, text := range printed(err) {
			wantNoSecret(t, fmt.Sprintf("client_credentials, status %d, %s", fault.Status, verb), text, []string{keys().Secret})
		}
	}
}

// sentBy returns the secrets that a request of the operation carries, out of those that TestErrorsTellNoSecret has.
func sentBy(op string, secrets []string) []string {
	code, verifier, refresh, access, secret := secrets[0], secrets[1], secrets[2], secrets[3], secrets[4]
	switch op {
	case "exchange":
		return []string{code, verifier, secret}
	case "refresh", "revoke":
		return []string{refresh, secret}
	}
	return []string{access, secret}
}

// The engine tells no secret either: neither in its errors, nor in what it tells its observer.
func TestEngineErrorsTellNoSecret(t *testing.T) {
	w := newWorld(t)
	g := w.Process(&grant.Options{StoreTimeout: time.Second})
	tok := w.Login(g)
	secrets := []string{tok.AccessToken, tok.RefreshToken, confidential().r.ClientSecret}
	for _, sent := range []string{tok.RefreshToken, tok.RefreshToken, tok.AccessToken} { // to refresh, and to revoke both
		w.Fake.Inject(oauthtest.Match{}, jsonFault(400, `{"error":"invalid_grant","error_description":"`+sent+` is used"}`), 1)
	}
	_, renewed := g.Source(w.User).Renew(t.Context(), tok)
	testworld.WantIs(t, renewed, tokensource.ErrReauthorize)
	_, dead := g.Source(w.User).Token(t.Context())
	testworld.WantIs(t, dead, tokensource.ErrReauthorize)
	loggedOut := g.Logout(t.Context(), w.User)
	if loggedOut == nil {
		t.Error("Logout() = nil though the server revoked nothing")
	}
	w.Store.On(testworld.Failing("get"))
	_, unread := w.Process(nil).Source(w.User).Token(t.Context())
	testworld.WantIs(t, unread, tokensource.ErrTemporary)
	w.Store.On(nil)
	for _, v := range []any{renewed, dead, loggedOut, unread, w.events} {
		for verb, text := range printed(v) {
			wantNoSecret(t, fmt.Sprintf("%T, %s", v, verb), text, secrets)
		}
	}
	if key := tokensource.KeyOf(w.Client, w.User); storage.CheckKey(key) != nil || strings.Contains(key, w.User) {
		t.Errorf("the storage key %q tells who the user is", key)
	}
}
func TestDescriptionsAreMadeFitForLogs(t *testing.T) {
	tests := []struct{ name, body, code, description string }{
		{"plain", `{"error":"invalid_scope","error_description":"no such scope"}`, "invalid_scope", "no such scope"},
		{"line breaks", `{"error":"a\r\nb","error_description":"x\r\nlevel=INFO msg=\"logged in\"\u0000"}`, "a..b", `x..level=INFO msg="logged in".`},
		{"terminal", `{"error":"\u001b]0;x\u0007","error_description":"\u001b[2Jgone\u009b"}`, ".]0;x.", ".[2Jgone."},
		{"beyond ASCII", `{"error":"e","error_description":"caf\u00e9 \u202e"}`, "e", "caf. ."},
		{"long", `{"error":"` + strings.Repeat("c", 999) + `","error_description":"` + strings.Repeat("d", 999) + `"}`,
			strings.Repeat("c", 64) + "...", strings.Repeat("d", 200) + "..."},
		{"echoes", `{"error":"` + someRefresh + `","error_description":"` + someRefresh + ` of ` + oauthtest.ConfidentialApp().Secret() + `"}`,
			"REDACTED", "REDACTED of REDACTED"},
		{"no string", `{"error":"e","error_description":{"a":1}}`, "e", ""},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, jsonFault(400, tt.body), 1)
		_, err := w.Client.Refresh(t.Context(), someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Code != tt.code || e.Description != tt.description {
			t.Errorf("%s: code, description = %q, %q, want %q, %q", tt.name, e.Code, e.Description, tt.code, tt.description)
		}
		if text := err.Error(); strings.ContainsAny(text, "\r\n\x1b\x00") {
			t.Errorf("%s: Error() = %q", tt.name, text)
		}
	}
}

func TestErrorText(t *testing.T) {
	err := fmt.Errorf("app: %w", &tokensource.Error{
		Op: "refresh", Kind: tokensource.ErrTemporary, Status: 503, Code: "server_error", Description: "busy",
		RetryAfter: 1500 * time.Millisecond, InDoubt: true, Hint: "wait", Err: errors.New("cause"),
	})
	want := "app: tokensource: refresh: temporary failure: HTTP 503: server_error (busy): the outcome is unknown: retry after 2s: cause: wait"
	if got := err.Error(); got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	gone := &tokensource.Error{Op: "token", Kind: tokensource.ErrNoGrant, Reason: tokensource.ReasonNoGrant}
	if got, want := gone.Error(), "tokensource: token: no grant"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	testworld.WantIs(t, gone, tokensource.ErrReauthorize)
	if got := (&tokensource.Error{Op: "load"}).Unwrap(); len(got) != 0 {
		t.Errorf("Unwrap() = %v, want nothing", got)
	}
}

package xapi

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// visit is one request to the API while it is being answered.
type visit struct {
	s    *Server
	r    *http.Request
	seen oauthtest.Request
	k    Knobs
	app  string          // the app that the token belongs to; empty if there is no good token
	tok  oauthtest.Token // of a user; zero for an app-only token
}

// endpoint says who may call what.
type endpoint struct {
	scopes   []string
	userOnly bool
	serve    func(*visit) *oauthtest.Answer
}

var endpoints = map[string]endpoint{
	"GET " + PathMe:      {[]string{"users.read", "tweet.read"}, true, (*visit).me},
	"POST " + PathTweets: {[]string{"tweet.read", "tweet.write", "users.read"}, true, (*visit).createPost},
	"GET " + PathTweets:  {[]string{"tweet.read", "users.read"}, false, (*visit).listPosts},
	"GET " + PathStream:  {nil, false, (*visit).openStream},
	PathEcho:             {nil, false, (*visit).echo},
	PathRedirect:         {nil, false, (*visit).redirect},
}

var paths = []string{PathMe, PathTweets, PathStream, PathEcho, PathRedirect}

// handle answers what is not a part of OAuth 2.0 at X.
func (s *Server) handle(r *http.Request, seen oauthtest.Request, bearer oauthtest.Token) *oauthtest.Answer {
	e, other := elsewhere(r)
	var a *oauthtest.Answer
	switch {
	case other:
	case r.URL.Path == PathAppToken:
		return s.appToken(r)
	case r.URL.Path == PathInvalidate:
		return s.invalidate(r)
	default:
		if e, a = endpointOf(r); a != nil {
			return a
		}
	}
	v := &visit{s: s, r: r, seen: seen, k: s.settings()}
	v.identify(bearer)
	limits := make(http.Header, 9)
	if a = v.admit(e, limits); a == nil {
		a = e.serve(v)
	}
	maps.Copy(a.Header, limits)
	return a
}

// endpointOf returns what the request is for, or a refusal.
func endpointOf(r *http.Request) (endpoint, *oauthtest.Answer) {
	if !slices.Contains(paths, r.URL.Path) {
		return endpoint{}, notFound()
	}
	e, ok := endpoints[r.URL.Path]
	if !ok {
		e, ok = endpoints[r.Method+" "+r.URL.Path]
	}
	if !ok {
		a := problem(http.StatusMethodNotAllowed, bodyMethod)
		a.Header.Set("Allow", "GET")
		return endpoint{}, a
	}
	return e, nil
}

// identify finds out whose token the request carries.
func (v *visit) identify(bearer oauthtest.Token) {
	if bearer.Dead == "" {
		v.app, v.tok = bearer.ClientID, bearer
		return
	}
	values := v.r.Header.Values("Authorization")
	if len(values) != 1 || v.r.URL.Query().Has("access_token") {
		return
	}
	if scheme, raw, _ := strings.Cut(values[0], " "); strings.EqualFold(scheme, "Bearer") {
		v.app = v.s.bearerApp(raw)
	}
}

// admit decides whether the request may be served. The order is X's: token,
// rate limit, enrolment, credits, scopes.
func (v *visit) admit(e endpoint, limits http.Header) *oauthtest.Answer {
	k := &v.k.API
	if a := v.limited(limits); a != nil {
		return a
	}
	switch {
	case v.app == "":
		return v.unauthorized()
	case k.NotEnrolled, k.UserNotEnrolled:
		return clientForbidden(v.app, !k.NotEnrolled)
	case k.NoCredits:
		return problem(http.StatusPaymentRequired, bodyCredits)
	case k.SpendCap:
		return problem(http.StatusForbidden, bodySpendCap)
	case v.appOnly() && e.userOnly:
		return problem(http.StatusForbidden, bodyUnsupported)
	case !v.appOnly() && slices.ContainsFunc(e.scopes, func(scope string) bool { return !v.has(scope) }):
		return problem(http.StatusForbidden, bodyForbidden)
	}
	return nil
}

func (v *visit) appOnly() bool { return v.tok.User.ID == "" }

func (v *visit) has(scope string) bool { return slices.Contains(v.tok.Scopes, scope) }

func (v *visit) unauthorized() *oauthtest.Answer {
	if rejected := v.k.Rejected; rejected != nil {
		a := answer(rejected.Status, "", rejected.Body)
		maps.Copy(a.Header, rejected.Header)
		return a
	}
	status := cmp.Or(v.k.RejectStatus, http.StatusUnauthorized)
	a := problem(status, bodyUnauthorized)
	switch v.k.API.ErrorStyle {
	case StyleV1:
		a = answer(status, typeJSON, bodyUnauthorizedV1)
	case StyleText:
		a = answer(status, typeText, "Unauthorized")
	}
	if v.k.Challenge != "" && v.k.Challenge != "-" { // X sends none
		a.Header.Set("WWW-Authenticate", v.k.Challenge)
	}
	return a
}

// echo leaves the answer to oauthtest, which describes what arrived.
func (v *visit) echo() *oauthtest.Answer { return answer(0, "", "") }

// redirect sends the client elsewhere, to see what it brings along.
func (v *visit) redirect() *oauthtest.Answer {
	status, err := strconv.Atoi(v.r.URL.Query().Get("status"))
	if err != nil || status < 300 || status > 399 {
		status = http.StatusFound
	}
	a := answer(status, "", "")
	a.Header.Set("Location", cmp.Or(v.k.API.RedirectTo, "https://elsewhere.test/landing"))
	return a
}

// body returns the body of the request, as far as oauthtest passes it on.
func (v *visit) body() []byte {
	text, err := io.ReadAll(v.r.Body)
	if err != nil {
		return nil
	}
	return text
}

package oauth_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// refreshed scripts one success answer and returns what a refresh makes of it.
func (w world) refreshed(f oauthtest.Fault) (*oauth2.Token, error) {
	w.Fake.Inject(oauthtest.Match{}, f, 1)
	return w.Client.Refresh(w.Context(), someRefresh)
}

func TestTokenResponses(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("t", 64<<10)
	for _, body := range []string{
		`{"access_token":"a","token_type":"bearer"}`,
		` {"access_token" : "a" , "token_type" : "bEARER"}` + "\r\n",
		`{"token_type":"Bearer","access_token":"a","scope":null,"refresh_token":null,"expires_in":null}`,
		`{"\u0061ccess_token":"a","token_type":"Bearer"}`,
		`{"access_token":"a","token_type":"Bearer","iat":1,"Header":null,"deep":[[{"a":{"a":1},"access_token":"b"}]],"error_uri":"x"}`,
		`{"access_token":"a","token_type":"Bearer","scope":"b a","refresh_token":"r"}`,
		`{"access_token":"` + long + `","token_type":"Bearer","refresh_token":"` + long + `"}`,
		`{"access_token":"AAAA%2FAAA%3DAAAA","token_type":"bearer"}`,
		`{"access_token":"!\"#\\~","token_type":"bearer"}`,
	} {
		for _, kind := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
			tok, err := w.refreshed(oauthtest.Fault{Status: 200, Body: body, ContentType: kind})
			if err != nil || tok.AccessToken == "" || !strings.EqualFold(tok.TokenType, "bearer") {
				t.Errorf("Refresh() with %.90q as %s = %v, want a token", body, kind, err)
			}
		}
	}
	tok, err := w.refreshed(wire.JSON(200, `{"access_token":"a","token_type":"Bearer","scope":"b a","refresh_token":"r"}`))
	if err != nil || tok.AccessToken != "a" || tok.RefreshToken != "r" || tok.Extra("scope") != "b a" {
		t.Errorf("Refresh() = %v: not what the server said", err)
	}
	if tok, err = w.refreshed(wire.JSON(200, `{"access_token":"a","token_type":"Bearer"}`)); err != nil || tok.Extra("scope") != "" || tok.RefreshToken != "" {
		t.Errorf("Refresh() = %v, want neither scope nor refresh token", err)
	}
}

func TestExpiresIn(t *testing.T) {
	const unknown = 0
	tests := []struct {
		raw  string
		want time.Duration
	}{
		{"7200", 2 * time.Hour}, {`"7200"`, 2 * time.Hour}, {"59", 59 * time.Second}, {"1", time.Second},
		{"7200.0", 2 * time.Hour}, {"7200.9", 2 * time.Hour}, {"7.2e3", 2 * time.Hour},
		{"2147483647", 1<<31*time.Second - time.Second}, {"2147483648", 1<<31*time.Second - time.Second},
		{"1e12", 1<<31*time.Second - time.Second}, {"1e308", 1<<31*time.Second - time.Second},
		{"1e999", 1<<31*time.Second - time.Second}, {"99999999999999999999", 1<<31*time.Second - time.Second},
		{"", unknown}, {"0", unknown}, {"-0", unknown}, {"-1", unknown}, {"-1e999", unknown}, {"0.5", unknown},
		{"null", unknown}, {"true", unknown}, {`""`, unknown}, {`"soon"`, unknown}, {`"-1"`, unknown}, {`"NaN"`, unknown},
		{"[7200]", unknown}, {`{"s":7200}`, unknown}, {`"72 00"`, unknown},
	}
	synctest.Test(t, func(t *testing.T) {
		for _, assumed := range []time.Duration{0, time.Hour} {
			w, s := newWorld(t), confidential()
			s.p.ExpiresIn = assumed
			w.Client = w.at(s)
			for _, tt := range tests {
				body, want := `{"access_token":"a","token_type":"Bearer"`, tt.want
				if tt.raw != "" {
					body += `,"expires_in":` + tt.raw
				}
				if want == unknown {
					want = assumed
				}
				tok, err := w.refreshed(wire.JSON(200, body+"}"))
				if err != nil {
					t.Errorf("expires_in %s: %v, want none", tt.raw, err)
					continue
				}
				var expiry time.Time
				if want > 0 {
					expiry = time.Now().Add(want)
				}
				if !tok.Expiry.Equal(expiry) || tok.ExpiresIn != int64(want/time.Second) {
					t.Errorf("expires_in %s: expiry in %v, want %v", tt.raw, time.Until(tok.Expiry), want)
				}
			}
		}
	})
}

func TestAnswersWithoutEnd(t *testing.T) {
	page := bytes.Repeat([]byte(" "), 64<<10)
	var bomb bytes.Buffer // a few hundred bytes, and so are as many more of it as one likes
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(page); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	endless := func(w io.Writer, page []byte) {
		for {
			if _, err := w.Write(page); err != nil {
				return // the client has had enough
			}
		}
	}
	answers := map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"body": {func(w http.ResponseWriter, _ *http.Request) { endless(w, page) }, "larger than 1 MiB"},
		"gzip bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			endless(w, bomb.Bytes())
		}, "larger than 1 MiB"},
		"error body": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest); endless(w, page) }, "larger than 1 MiB"},
		"header": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 12 {
				w.Header().Set(fmt.Sprint("X-Much-", i), strings.Repeat("h", 1<<20))
			}
		}, ""}, // net/http says "exceeded" or "unexpected EOF", by where its limit fell
	}
	for name, a := range answers {
		done := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			w.Header().Set("Content-Type", "application/json")
			a.serve(w, r)
		}))
		s := confidential()
		s.p.TokenURL, s.p.InsecureLoopback = server.URL, true
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		tok, err := client.Refresh(t.Context(), someRefresh)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if err == nil || tok != nil || !strings.Contains(err.Error(), a.want) {
			t.Errorf("%s: Refresh() = %v, want an error with %q", name, err, a.want)
		}
		<-done // the connection was dropped: otherwise the server would still write
		server.Close()
	}
}

func TestOneMebibyteIsNotTooMuch(t *testing.T) {
	w := newWorld(t)
	body := `{"access_token":"a","token_type":"Bearer"}`
	if _, err := w.refreshed(wire.JSON(200, body+strings.Repeat(" ", 1<<20-len(body)))); err != nil {
		t.Errorf("Refresh() with 1 MiB = %v, want a token", err)
	}
	body = `{"access_token":"a","token_type":"Bearer"`
	_, err := w.refreshed(wire.JSON(200, body+strings.Repeat(" ", 1<<20-len(body))+"}"))
	wantInDoubt(t, "1 MiB and a byte", err, 200)
}

// What eleven real servers and the gateways before them answer, and what it
// means.
func TestErrorResponses(t *testing.T) {
	const (
		problem    = `{"type":"about:blank","title":"Bad Request","status":400,"detail":"no"}`
		xDeadToken = `{"error":"invalid_request","error_description":"Value passed for the token was invalid."}`
		xDeadCode  = `{"error":"invalid_request","error_description":"Value passed for the authorization code was invalid.","errors":[{"code":1}]}`
		dexDead    = `{"error":"invalid_request","error_description":"Refresh token is invalid or has already been claimed by another client."}`
	)
	dead, client, temporary := tokensource.ErrReauthorize, tokensource.ErrClient, tokensource.ErrTemporary
	page := oauthtest.Fault{Status: 403, Body: xapi.HTMLPage}
	tests := []struct {
		name  string
		op    string // every one if empty
		fault oauthtest.Fault
		kind  error
		code  string
	}{
		{"invalid_grant", "refresh", wire.JSON(400, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant with 401", "refresh", wire.JSON(401, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant with 403", "refresh", wire.JSON(403, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant for a code", "exchange", wire.JSON(400, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant for a code with 401", "exchange", wire.JSON(401, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant in another media type", "refresh", oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, dead, "invalid_grant"},
		{"invalid_grant with 429", "", wire.JSON(429, `{"error":"invalid_grant"}`), temporary, "invalid_grant"},
		{"invalid_grant with 500", "", wire.JSON(500, `{"error":"invalid_grant"}`), temporary, "invalid_grant"},
		{"invalid_grant with 503", "", wire.JSON(503, `{"error":"invalid_grant"}`), temporary, "invalid_grant"},
		{"X's dead refresh token", "refresh", wire.JSON(400, xDeadToken), dead, "invalid_request"},
		{"X's dead refresh token for a code", "exchange", wire.JSON(400, xDeadToken), client, "invalid_request"},
		{"X's dead refresh token with 401", "refresh", wire.JSON(401, xDeadToken), client, "invalid_request"},
		{"X's dead code", "exchange", wire.JSON(400, xDeadCode), dead, "invalid_request"},
		{"X's dead code at a refresh", "refresh", wire.JSON(400, xDeadCode), client, "invalid_request"},
		{"invalid_request alone", "", wire.JSON(400, `{"error":"invalid_request"}`), client, "invalid_request"},
		{"dex's text is known to nobody here", "refresh", wire.JSON(400, dexDead), client, "invalid_request"},
		{"400 with nothing", "", oauthtest.Fault{Status: 400}, client, ""},
		{"400 in HTML", "", oauthtest.Fault{Status: 400, Body: xapi.HTMLPage}, client, ""},
		{"problem details", "", oauthtest.Fault{Status: 400, Body: problem, ContentType: "application/problem+json"}, client, ""},
		{"invalid_code", "exchange", wire.JSON(403, `{"error":"invalid_code"}`), dead, "invalid_code"},
		{"expired_token", "exchange", wire.JSON(400, `{"error":"expired_token"}`), dead, "expired_token"},
		{"invalid_client", "", wire.JSON(401, `{"error":"invalid_client"}`), client, "invalid_client"},
		{"invalid_client with 400", "", wire.JSON(400, `{"error":"invalid_client"}`), client, "invalid_client"},
		{"unauthorized_client", "", wire.JSON(401, `{"error":"unauthorized_client"}`), client, "unauthorized_client"},
		{"unauthorized_client with 403", "", wire.JSON(403, `{"error":"unauthorized_client"}`), client, "unauthorized_client"},
		{"unsupported_grant_type", "", wire.JSON(400, `{"error":"unsupported_grant_type"}`), client, "unsupported_grant_type"},
		{"invalid_scope", "", wire.JSON(400, `{"error":"invalid_scope"}`), client, "invalid_scope"},
		{"401 with nothing", "", oauthtest.Fault{Status: 401}, client, ""},
		{"404", "", oauthtest.Fault{Status: 404, Body: xapi.HTMLPage}, client, ""},
		{"403 of X's app-only endpoint", "", wire.JSON(403, `{"errors":[{"code":99,"message":"Unable to verify your credentials"}]}`), client, ""},
		{"an edge's page with 403", "", page, temporary, ""},
		{"403 with nothing", "", oauthtest.Fault{Status: 403}, temporary, ""},
		{"408 of a gateway", "", oauthtest.Fault{Status: 408, Body: "timeout"}, temporary, ""},
		{"425", "", oauthtest.Fault{Status: 425}, temporary, ""},
		{"429 in text", "", oauthtest.Fault{Status: 429, Body: "Rate limit exceeded"}, temporary, ""},
		{"429 as a problem", "", wire.JSON(429, `{"title":"Too Many Requests","status":429}`), temporary, ""},
		{"500 server_error", "", wire.JSON(500, `{"error":"server_error"}`), temporary, "server_error"},
		{"500 with invalid_request of dex", "", wire.JSON(500, dexDead), temporary, "invalid_request"},
		{"500 in HTML", "", oauthtest.Fault{Status: 500, Body: xapi.HTMLPage}, temporary, ""},
		{"502", "", oauthtest.Fault{Status: 502, Body: "Bad Gateway"}, temporary, ""},
		{"over capacity", "", wire.JSON(503, `{"errors":[{"code":130,"message":"Over capacity"}]}`), temporary, ""},
		{"504 with nothing", "", oauthtest.Fault{Status: 504}, temporary, ""},
		{"server_error with 400", "", wire.JSON(400, `{"error":"server_error"}`), temporary, "server_error"},
		{"temporarily_unavailable with 400", "", wire.JSON(400, `{"error":"temporarily_unavailable"}`), temporary, "temporarily_unavailable"},
		{"an error twice", "refresh", wire.JSON(400, `{"error":"x","error":"invalid_grant"}`), client, ""},
		{"an error in another case", "refresh", wire.JSON(400, `{"Error":"invalid_grant"}`), client, ""},
		{"an error that is no string", "refresh", wire.JSON(400, `{"error":["invalid_grant"]}`), client, ""},
		{"an error and more", "refresh", wire.JSON(400, `{"error":"invalid_grant"}{}`), dead, "invalid_grant"},
	}
	for _, tt := range tests {
		for _, op := range operations {
			if tt.op != "" && tt.op != op.name {
				continue
			}
			w, what := newWorld(t), tt.name+", "+op.name
			w.Fake.Inject(oauthtest.Match{}, tt.fault, 1)
			err := op.run(t.Context(), w.Client)
			e, ok := errors.AsType[*tokensource.Error](err)
			if !ok || e.Kind != tt.kind || e.Code != tt.code || e.Status != tt.fault.Status || e.Op != op.name || e.InDoubt {
				t.Errorf("%s = %v, want %v with code %q", what, err, tt.kind, tt.code)
			}
			if err != nil && (strings.Contains(err.Error(), "<") || strings.Contains(err.Error(), "about:blank")) {
				t.Errorf("%s = %v: it quotes the body", what, err)
			}
			w.only()
		}
	}
}

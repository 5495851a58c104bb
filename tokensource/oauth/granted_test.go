package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// utf16LE returns s as UTF-16 with a byte order mark.
func utf16LE(s string) string {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

// quote returns s as a JSON string.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// G14: If the server granted, the form of its answer never costs the grant.
func TestG14_AnswersThatGrant(t *testing.T) {
	const end = `"access_token":"at-1","expires_in":3600,"refresh_token":"rt-1"}`
	const good = `{"token_type":"bearer","scope":"a b",` + end
	ok := func(body string) oauthtest.Fault { return wire.JSON(200, body) }
	kind := func(kind string) oauthtest.Fault { return oauthtest.Fault{Status: 200, Body: good, ContentType: kind} }
	for name, fault := range map[string]oauthtest.Fault{
		"scope as a list":                              ok(`{"scope":["a","b"],` + end),
		"scope as a list of one text":                  ok(`{"scope":["a b"],` + end),
		"scope with commas":                            ok(`{"scope":"a,b",` + end),
		"scope with commas and spaces":                 ok(`{"scope":" a, b ",` + end),
		"scope with line breaks":                       ok(`{"scope":"a\nb",` + end),
		"scope twice":                                  ok(`{"scope":"c","scope":"a b",` + end),
		"a scope that no scope can be":                 ok(`{"scope":"a b caf\u00e9",` + end),
		"text/html":                                    kind("text/html"),
		"text/html with a charset":                     kind("text/html; charset=utf-8"),
		"text/plain":                                   kind("text/plain"),
		"text/json":                                    kind("text/json"),
		"application/problem+json":                     kind("application/problem+json"),
		"application/octet-stream":                     kind("application/octet-stream"),
		"a media type that is none":                    kind(";"),
		"no media type":                                {Status: 200, Body: good},
		"status 201":                                   wire.JSON(201, good),
		"status 202":                                   wire.JSON(202, good),
		"status 203":                                   wire.JSON(203, good),
		"status 206":                                   wire.JSON(206, good),
		"status 226":                                   wire.JSON(226, good),
		"status 299":                                   wire.JSON(299, good),
		"no token_type":                                ok(`{"scope":"a b",` + end),
		"an empty token_type":                          ok(`{"token_type":"","scope":"a b",` + end),
		"token_type null":                              ok(`{"token_type":null,"scope":"a b",` + end),
		"token_type with a space behind":               ok(`{"token_type":"Bearer ","scope":"a b",` + end),
		"token_type bot":                               ok(`{"token_type":"bot","scope":"a b",` + end),
		"token_type N_A":                               ok(`{"token_type":"N_A","scope":"a b",` + end),
		"a number for token_type":                      ok(`{"token_type":1,"scope":"a b",` + end),
		"a list for token_type":                        ok(`{"token_type":["bearer"],"scope":"a b",` + end),
		"a UTF-8 byte order mark":                      ok("\ufeff" + good),
		"UTF-16":                                       ok(utf16LE(good)),
		"spaces and line breaks around":                ok("\r\n\t " + good + "\r\n\r\n"),
		"NUL behind":                                   ok(good + "\x00\x00"),
		"a warning behind":                             ok(good + "<br />\n<b>Warning</b>: session_start()"),
		"a warning before it":                          ok("Notice: undefined index {main} in a.php\n" + good),
		"a warning in HTML before it":                  ok("<br />\n<b>Notice</b>: undefined index<br />\n" + good),
		"a warning before an object on several lines":  ok("Notice: undefined index\n{\n  \"scope\": \"a b\",\n  " + end),
		"a line break in a member that is not read":    ok("{\"motd\":\"one\ntwo\",\"scope\":\"a b\"," + end),
		"a backslash in a member that is not read":     ok(`{"home":"C:\data","scope":"a b",` + end),
		"a number that is none":                        ok(`{"refresh_token_expires_in":Infinity,"scope":"a b",` + end),
		"UTF-16 without a byte order mark":             ok(strings.TrimPrefix(utf16LE(good), "\xff\xfe")),
		"a form with a space":                          {Status: 200, Body: "access_token=at-1&scope=a b&refresh_token=rt-1&expires_in=3600"},
		"a form on several lines":                      {Status: 200, Body: "access_token=at-1&\nscope=a+b&\nrefresh_token=rt-1&\nexpires_in=3600\n"},
		"a prefix against inclusion":                   ok(")]}',\n" + good),
		"encoded twice":                                ok(quote(good)),
		"a brace behind":                               ok(good + "}"),
		"an empty object behind":                       ok(good + "{}"),
		"an empty error":                               ok(`{"error":"","scope":"a b",` + end),
		"error null":                                   ok(`{"error":null,"scope":"a b",` + end),
		"error false":                                  ok(`{"error":false,"scope":"a b",` + end),
		"error 0":                                      ok(`{"error":0,"scope":"a b",` + end),
		"no errors in a list":                          ok(`{"error":[],"scope":"a b",` + end),
		"an empty object for error":                    ok(`{"error":{ },"scope":"a b",` + end),
		"error 0.0":                                    ok(`{"error":0.0,"scope":"a b",` + end),
		"a space for error":                            ok(`{"error":" ","scope":"a b",` + end),
		"the text None for error":                      ok(`{"error":"None","scope":"a b",` + end),
		"the text false for error":                     ok(`{"error":"false","scope":"a b",` + end),
		"an error_description alone":                   ok(`{"error_description":"none","scope":"a b",` + end),
		"an unrelated member twice":                    ok(`{"x":1,"x":2,"scope":"a b",` + end),
		"expires_in twice":                             ok(`{"expires_in":1,"scope":"a b",` + end),
		"Scope in another case":                        ok(`{"Scope":"c","scope":"a b",` + end),
		"Access_Token beside access_token":             ok(`{"Access_Token":"at-2","scope":"a b",` + end),
		"ERROR in upper case":                          ok(`{"ERROR":"invalid_grant","scope":"a b",` + end),
		"Latin-1 in a member that is not read":         ok("{\"city\":\"M\xfcnchen\",\"scope\":\"a b\"," + end),
		"Latin-1 in a name":                            ok("{\"stra\xdfe\":1,\"scope\":\"a b\"," + end),
		"escaped names":                                ok(`{"\u0061ccess_token":"at-1","scope":"a b","refresh_token":"rt-1","expires_in":"3600"}`),
		"a form":                                       {Status: 200, Body: "access_token=at-1&scope=a+b&refresh_token=rt-1&expires_in=3600&token_type=bearer"},
		"a form that is called JSON":                   ok("access_token=at-1&scope=a%20b&refresh_token=rt-1&expires_in=3600"),
		"a form with commas and an empty error":        {Status: 200, Body: "error=&access_token=at-1&scope=a%2Cb&refresh_token=rt-1&expires_in=3600\n"},
		"a comma too many at the end":                  ok(strings.TrimSuffix(good, "}") + ",}"),
		"cut off behind the tokens":                    ok(strings.TrimSuffix(good, "}")),
		"cut off behind the tokens, more would follow": ok(strings.TrimSuffix(good, "}") + `,"user":{"id"`),
		"a connection lost behind the tokens":          {Status: 200, Body: good + "     ", Truncate: len(good) + 1},
		"very deep behind the tokens":                  ok(strings.TrimSuffix(good, "}") + `,"x":` + strings.Repeat("[", 1<<14) + strings.Repeat("]", 1<<14) + "}"),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			tok, err := w.refreshed(fault)
			if err != nil {
				t.Errorf("%s: Refresh() = %v, want the tokens", name, err)
				return
			}
			if tok.AccessToken != "at-1" || tok.RefreshToken != "rt-1" || tok.TokenType != "Bearer" || tok.Extra("scope") != "a b" {
				t.Errorf("%s: Refresh() = type %q, scope %q: not what the server granted", name, tok.TokenType, tok.Extra("scope"))
			}
			if left := time.Until(tok.Expiry); left != time.Hour {
				t.Errorf("%s: Refresh(): the token lives for %v, want 1h", name, left)
			}
		})
	}
}

// G15: An answer that is not one of an authorization server redeemed nothing,
// and is never in doubt.
func TestG15_AnswersThatRedeemedNothing(t *testing.T) {
	portal := strings.Repeat("<p>Please accept the terms to use this network.</p>", 99)
	for name, fault := range map[string]oauthtest.Fault{
		"HTML with 200":                        {Status: 200, Body: xapi.HTMLPage},
		"HTML that is called JSON":             wire.JSON(200, xapi.HTMLPage),
		"HTML behind a byte order mark":        {Status: 200, Body: "\ufeff<html></html>"},
		"HTML with 201":                        {Status: 201, Body: "<html></html>"},
		"HTML cut off":                         {Status: 200, Body: portal, Truncate: 20},
		"HTML above 1 MiB":                     {Status: 200, Body: portal + strings.Repeat(" ", 1<<20)},
		"HTML that speaks of an access_token":  {Status: 200, Body: `<script>{"access_token":"x"}</script>`},
		"text with 200":                        {Status: 200, Body: "It works!"},
		"text with an equals sign":             {Status: 200, Body: "a = b"},
		"nothing with 200":                     {Status: 200},
		"nothing with 204":                     {Status: 204},
		"an empty object":                      wire.JSON(200, `{}`),
		"JSON with neither token nor error":    wire.JSON(200, `{"status":"maintenance","eta":600}`),
		"ok false and no error":                wire.JSON(200, `{"ok":false}`),
		"an error that is null, and no token":  wire.JSON(200, `{"error":null}`),
		"tokens that are null":                 wire.JSON(200, `{"access_token":null,"refresh_token":null}`),
		"tokens that are empty":                wire.JSON(200, `{"access_token":"","refresh_token":""}`),
		"Access_Token in another case":         wire.JSON(200, `{"Access_Token":"a","token_type":"Bearer"}`),
		"access_token under a long s":          wire.JSON(200, `{"acce\u017fs_token":"a"}`),
		"a list":                               wire.JSON(200, `[{"access_token":"a"}]`),
		"null":                                 wire.JSON(200, `null`),
		"a text in quotation marks":            wire.JSON(200, `"access_token"`),
		"a form without a token":               {Status: 200, Body: "status=ok"},
		"JSON that is not valid, and no token": wire.JSON(200, `{ margin: 0 }`),
	} {
		w := newWorld(t)
		_, err := w.refreshed(fault)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Kind != tokensource.ErrTemporary || e.InDoubt || e.Status != fault.Status {
			t.Errorf("%s: Refresh() = %v, want ErrTemporary with status %d and no doubt", name, err, fault.Status)
		}
		w.only()
	}
}

// An answer that grants is in doubt only if a part is missing which may be a
// token.
func TestAnswersThatAreInDoubt(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"cut off in the access token":        wire.JSON(200, `{"access_token":"a`),
		"cut off behind the access token":    wire.JSON(200, `{"access_token":"a"`),
		"cut off in the refresh token":       wire.JSON(200, `{"access_token":"a","refresh_token":"r`),
		"not valid behind the access token":  wire.JSON(200, `{"access_token":"a",token_type:"Bearer"}`),
		"connection lost in JSON":            {Status: 200, Body: `{"token_type":"bearer","access_token":"a"}`, Truncate: 9},
		"connection lost before a byte came": {Status: 200, Body: `{"token_type":"bearer","access_token":"a"}`, Truncate: 1},
		"JSON above 1 MiB":                   wire.JSON(200, `{"x":"`+strings.Repeat("x", 1<<20)+`","access_token":"a"}`),
		"very deep before the tokens":        wire.JSON(200, `{"x":`+strings.Repeat("[", 1<<14)+strings.Repeat("]", 1<<14)+`,"access_token":"a"}`),
	} {
		w := newWorld(t)
		_, err := w.refreshed(fault)
		wantInDoubt(t, name, err, 200)
		if tok, ok := oauth.Unusable(err); ok {
			t.Errorf("%s: Unusable() = %v, want nothing", name, tok != nil)
		}
	}
}

// wantInDoubt wants what follows a yes that is not complete: perhaps the
// refresh token is used up.
func wantInDoubt(t *testing.T, what string, err error, status int) {
	t.Helper()
	e, ok := errors.AsType[*tokensource.Error](err)
	if !ok || e.Kind != tokensource.ErrTemporary || !e.InDoubt || e.Status != status {
		t.Errorf("%s: Refresh() = %v, want ErrTemporary, in doubt, with status %d", what, err, status)
	}
}

// What is granted and cannot be used is not temporary. What came is not lost.
func TestTokensThatCannotBeUsed(t *testing.T) {
	tests := []struct {
		name, body      string
		access, refresh string // that can be kept
		want            string
	}{
		{"a line break in the access token", `{"access_token":"a\r\nX-Admin: 1","refresh_token":"r"}`, "", "r", "access_token has characters"},
		{"a line break behind the access token", `{"access_token":"a\n","refresh_token":"r"}`, "", "r", "access_token has characters"},
		{"NUL in the access token", `{"access_token":"a\u0000","refresh_token":"r"}`, "", "r", "access_token has characters"},
		{"a space in the access token", `{"access_token":"a b","refresh_token":"r"}`, "", "r", "access_token has characters"},
		{"DEL in the access token", `{"access_token":"a\u007f","refresh_token":"r"}`, "", "r", "access_token has characters"},
		{"a letter beyond ASCII in the access token", `{"access_token":"\u00e9","refresh_token":"r"}`, "", "r", "access_token has characters"},
		{"half a surrogate pair in the access token", `{"access_token":"\ud800","refresh_token":"r"}`, "", "r", "access_token has characters"},
		{"Latin-1 in the access token", "{\"access_token\":\"\xe9\",\"refresh_token\":\"r\"}", "", "r", "access_token has characters"},
		{"a number for the access token", `{"access_token":7,"refresh_token":"r"}`, "", "r", "not a string"},
		{"an object for the access token", `{"access_token":{"a":"b"},"refresh_token":"r"}`, "", "r", "not a string"},
		{"a refresh token and no access token", `{"refresh_token":"r"}`, "", "r", "no access_token"},
		{"a refresh token and an empty access token", `{"access_token":"","refresh_token":"r"}`, "", "r", "no access_token"},
		{"the access token twice", `{"access_token":"a","access_token":"b","refresh_token":"r"}`, "", "r", "access_token twice"},
		{"the access token twice, once escaped", `{"access_token":"a","\u0061ccess_token":"b","refresh_token":"r"}`, "", "r", "access_token twice"},
		{"two objects with tokens", `{"access_token":"a"}{"access_token":"b","refresh_token":"r"}`, "", "r", "access_token twice"},
		{"the refresh token twice", `{"access_token":"a","refresh_token":"r","refresh_token":"s"}`, "a", "", "refresh_token twice"},
		{"a line break in the refresh token", `{"access_token":"a","refresh_token":"r\nr"}`, "a", "", "refresh_token has characters"},
		{"a space behind the refresh token", `{"access_token":"a","refresh_token":"r "}`, "a", "", "refresh_token has characters"},
		{"a list of refresh tokens", `{"access_token":"a","refresh_token":["r"]}`, "a", "", "not a string"},
		{"token_type DPoP without a key", `{"access_token":"a","refresh_token":"r","token_type":"DPoP"}`, "a", "r", "DPoP"},
		{"token_type mac", `{"access_token":"a","refresh_token":"r","token_type":"mac"}`, "a", "r", "bound to a key"},
		{"token_type PoP", `{"access_token":"a","refresh_token":"r","token_type":"PoP"}`, "a", "r", "bound to a key"},
	}
	for _, tt := range tests {
		w := newWorld(t)
		tok, err := w.refreshed(wire.JSON(200, tt.body))
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || tok != nil || e.Kind != tokensource.ErrClient || e.InDoubt || e.Status != 200 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Refresh() = %v, want ErrClient with %q", tt.name, err, tt.want)
			continue
		}
		kept, ok := oauth.Unusable(err)
		if !ok || kept.AccessToken != tt.access || kept.RefreshToken != tt.refresh {
			t.Errorf("%s: Unusable() = %v, want the access token %q and the refresh token %q", tt.name, ok, tt.access, tt.refresh)
		}
		if text := fmt.Sprintf("%+v", err); strings.Contains(text, "X-Admin") {
			t.Errorf("%s: %q quotes the token", tt.name, text)
		}
	}
	if tok, ok := oauth.Unusable(errors.New("x")); ok || tok != nil {
		t.Error("Unusable() of another error has tokens")
	}
}

func TestNestedTokens(t *testing.T) {
	const slack = `{"ok":true,"access_token":"xoxb","token_type":"bot","scope":"chat:write","authed_user":` +
		`{"id":"U1","scope":"search:read,users:read","access_token":"xoxp","token_type":"user","refresh_token":"xoxe","expires_in":43200}}`
	tests := []struct{ name, path, body, access, refresh, scope string }{
		{"a user's token beside a bot's", "authed_user", slack, "xoxp", "xoxe", "search:read users:read"},
		{"the bot's token", "", slack, "xoxb", "", "chat:write"},
		{"an element of a list", "data.0", `{"data":[{"access_token":"a","refresh_token":"r","scope":"s"}]}`, "a", "r", "s"},
		{"at the top after a refresh", "authed_user", `{"ok":true,"access_token":"a","refresh_token":"r","scope":"s"}`, "a", "r", "s"},
		{"an object without a token", "authed_user", `{"access_token":"a","refresh_token":"r","scope":"s","authed_user":{"id":"U1"}}`, "a", "r", "s"},
	}
	for _, tt := range tests {
		w, s := newWorld(t), confidential()
		s.p.TokenObject = tt.path
		w.Client = w.at(s)
		tok, err := w.refreshed(wire.JSON(200, tt.body))
		if err != nil {
			t.Errorf("%s: Refresh() = %v, want tokens", tt.name, err)
			continue
		}
		if tok.AccessToken != tt.access || tok.RefreshToken != tt.refresh || tok.Extra("scope") != tt.scope || tok.TokenType != "Bearer" {
			t.Errorf("%s: Refresh() = %q, %q, scope %q, want %q, %q, %q",
				tt.name, tok.AccessToken, tok.RefreshToken, tok.Extra("scope"), tt.access, tt.refresh, tt.scope)
		}
	}
}

func TestScopesOfAnAnswer(t *testing.T) {
	tests := []struct{ name, separator, asked, raw, want string }{
		{"commas that nothing speaks of", "", "a b", `"a,b"`, "a b"},
		{"commas as the provider says", ",", "a b", `"a,b"`, "a b"},
		{"commas asked for, spaces answered", ",", "a b", `"a b"`, "a b"},
		{"a scope with a comma in it", "", "a,b c", `"a,b c"`, "a,b c"},
		{"another separator", ";", "a b", `"a;b"`, "a b"},
		{"a list", "", "a b", `["a","b"]`, "a b"},
		{"null", "", "a b", `null`, ""},
		{"an object", "", "a b", `{"a":1}`, ""},
		{"fewer", "", "a b", `"a"`, "a"},
		{"more", "", "a b", `"a b admin"`, "a b admin"},
	}
	for _, tt := range tests {
		w, s := newWorld(t), generic()
		s.p.ScopeSeparator, s.r.Scopes = tt.separator, strings.Fields(tt.asked)
		w.Client = w.at(s)
		tok, err := w.refreshed(wire.JSON(200, `{"access_token":"a","scope":`+tt.raw+`}`))
		if err != nil || tok.Extra("scope") != tt.want {
			t.Errorf("%s: scope = %v, %v, want %q", tt.name, tok.Extra("scope"), err, tt.want)
		}
	}
}

func TestMembersOfAnAnswer(t *testing.T) {
	w := newWorld(t)
	tok, err := w.refreshed(wire.JSON(200, `{"access_token":"a","instance_url":"https://na1.example","id_token":"jwt",`+
		`"refresh_token_expires_in":86400,"user_id":12345678901234567890,"team":{"id":"T1"},"ok":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"instance_url": "string https://na1.example", "id_token": "string jwt", "refresh_token_expires_in": "float64 86400",
		"user_id": "json.Number 12345678901234567890", "team": "map[string]interface {} map[id:T1]", "ok": "bool true", "missing": "<nil> <nil>",
	} {
		if got := fmt.Sprintf("%T %v", tok.Extra(name), tok.Extra(name)); got != want {
			t.Errorf("Extra(%s) = %s, want %s", name, got, want)
		}
	}
	p := provider.X()
	p.KeepMembers = []string{"team.id", "refresh_token_expires_in"}
	if got := fmt.Sprint(p.Kept(tok.Extra)); got != "map[refresh_token_expires_in:86400 team.id:T1]" {
		t.Errorf("Kept() = %s", got)
	}
}

// A lifetime counts from the sending of the request (G18).
func TestTheLifetimeCountsFromTheSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sent := time.Now()
		fault := wire.JSON(200, `{"access_token":"a","expires_in":60}`)
		fault.Delay = 15 * time.Second
		tok, err := w.refreshed(fault)
		if err != nil || !tok.Expiry.Equal(sent.Add(time.Minute)) {
			t.Errorf("expiry = %v after the sending, %v, want 1m", tok.Expiry.Sub(sent), err)
		}
		w.Fake.Inject(oauthtest.Match{}, fault, 1)
		sent = time.Now()
		tok, err = w.Client.Exchange(t.Context(), someCode, rfcVerifier)
		if err != nil || !tok.Expiry.Equal(sent.Add(time.Minute)) {
			t.Errorf("expiry = %v after the sending, %v, want 1m", tok.Expiry.Sub(sent), err)
		}
	})
}

// A new token of a client with a key must be bound to it.
func TestDPoPTokensWithAKey(t *testing.T) {
	w := newWorld(t)
	w.Client = w.Client.WithProver(new(prover))
	tok, err := w.refreshed(wire.JSON(200, `{"access_token":"a","token_type":"dpop"}`))
	if err != nil || tok.TokenType != "DPoP" {
		t.Errorf("Refresh() = %v, want a token of type DPoP", err)
	}
}

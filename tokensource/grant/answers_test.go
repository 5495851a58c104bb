package grant_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// The tokens of an answer in an unusual form are used and stored (G14).
func TestAnswersInUnusualFormsAreStored(t *testing.T) {
	const end = `"access_token":"at-1","expires_in":3600,"refresh_token":"rt-1"}`
	for name, fault := range map[string]oauthtest.Fault{
		"scope as a list":     wire.JSON(200, `{"scope":["users.read","tweet.read"],`+end),
		"text/html":           {Status: 200, ContentType: "text/html", Body: "{" + end},
		"201":                 wire.JSON(201, "{"+end),
		"a byte order mark":   wire.JSON(200, "\ufeff{"+end),
		"an empty error":      wire.JSON(200, `{"error":"",`+end),
		"a form":              {Status: 200, Body: "access_token=at-1&expires_in=3600&refresh_token=rt-1"},
		"a warning behind it": wire.JSON(200, "{"+end+"<b>Warning</b>"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				w.RefreshFault(fault, 1)
				time.Sleep(2 * time.Hour)
				if tok := w.Token(g); tok.AccessToken != "at-1" {
					t.Error("Token() is not the token of the answer")
				}
				w.wantStored("rt-1")
				w.WantRefreshes(1)
			})
		})
	}
}

// For two minutes, every answer is a page: maintenance, or a captive portal.
// Sixty users call every few seconds. Nobody is logged out, and no refresh
// token is in doubt (G15).
func TestPagesWith200LogNobodyOut(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"a page with 200":                {Status: 200, Body: xapi.HTMLPage},
		"a page that is cut off":         {Status: 200, Body: xapi.HTMLPage, Truncate: 20},
		"JSON with neither":              wire.JSON(200, `{"status":"maintenance"}`),
		"nothing with 204":               {Status: 204},
		"ratelimited with 200, as Slack": wire.JSON(200, `{"ok":false,"error":"ratelimited"}`),
		"a gateway's 502":                {Status: 502, Body: xapi.HTMLPage},
		"a gateway's 504":                {Status: 504},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				users := w.loginUsers(g, 60)
				time.Sleep(2*time.Hour + time.Minute) // the tokens have expired
				w.RefreshFault(fault, -1)
				call := func(want error) {
					var wg sync.WaitGroup
					for _, user := range users {
						wg.Go(func() {
							_, err := g.Source(user).Token(t.Context())
							testworld.WantIs(t, err, want)
						})
					}
					wg.Wait()
				}
				for range 40 {
					call(tokensource.ErrTemporary)
					time.Sleep(3 * time.Second)
				}
				if n := w.Refreshes(); n > 600 {
					t.Errorf("%d requests in two minutes, want pauses", n)
				}
				w.Fake.ClearFaults()
				time.Sleep(5 * time.Minute)
				call(nil)
			})
		})
	}
}

// A refusal with 200 ends the grant at the first answer (G15).
func TestARefusalWith200EndsTheGrant(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"bad_refresh_token as JSON":   wire.JSON(http.StatusOK, `{"error":"bad_refresh_token"}`),
		"bad_refresh_token as a form": {Status: 200, Body: "error=bad_refresh_token&error_uri=x"},
		"invalid_grant":               wire.JSON(http.StatusOK, `{"error":"invalid_grant"}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				w.RefreshFault(fault, -1)
				time.Sleep(2*time.Hour + time.Minute)
				_, err := g.Source(w.User).Token(t.Context())
				testworld.WantReason(t, err, tokensource.ReasonRefused)
				w.WantRefreshes(1)
			})
		})
	}
}

package grant_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// scopeEvents returns what EventScopes is called with from now on.
func (w world) scopeEvents() *[]tokensource.Event {
	events := new([]tokensource.Event)
	w.OnEvent = func(e tokensource.Event) {
		if e.Kind == grant.EventScopes {
			*events = append(*events, e)
		}
	}
	return events
}

// A server may grant fewer scopes than the login asked for, or more. The
// program learns both.
func TestScopesOtherThanAskedFor(t *testing.T) {
	for _, tt := range []struct {
		name            string
		asked           []string // nil means those of the client
		granted         string
		missing, extra  string // what the event names
		facts, absentOf []string
	}{
		{"as asked", []string{"a", "b"}, "b a", "", "", []string{"b", "a"}, nil},
		{"the server names none", []string{"a", "b"}, "", "", "", []string{"a", "b"}, nil},
		{"fewer", []string{"a", "b"}, "a", `missing ["b"]`, `added []`, []string{"a"}, []string{"b"}},
		{"more", []string{"a"}, "a admin", `missing []`, `added ["admin"]`, []string{"a", "admin"}, nil},
		{"others", []string{"a"}, "b", `missing ["a"]`, `added ["b"]`, []string{"b"}, []string{"a"}},
		{"fewer than those of the client", nil, "tweet.read", `missing ["users.read" "offline.access"]`, "", []string{"tweet.read"}, []string{"users.read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				events := w.scopeEvents()
				tok := w.issue().WithExtra(map[string]any{"scope": tt.granted})
				facts, err := w.Process(nil).SaveLogin(t.Context(), w.User, tok, &grant.LoginOptions{Scopes: tt.asked})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(facts.Scopes, tt.facts) || tt.asked != nil && !slices.Equal(facts.Asked, tt.asked) {
					t.Errorf("SaveLogin() = %q of %q, want %q of %q", facts.Scopes, facts.Asked, tt.facts, tt.asked)
				}
				if got := facts.Missing(facts.Asked...); tt.absentOf != nil && got[0] != tt.absentOf[0] {
					t.Errorf("Missing() = %q, want %q first", got, tt.absentOf)
				}
				if tt.missing == "" {
					if len(*events) != 0 {
						t.Errorf("events = %v, want none", *events)
					}
					return
				}
				if len(*events) != 1 || (*events)[0].Subject != w.User || !slices.Equal((*events)[0].Scopes, tt.facts) {
					t.Fatalf("events = %v, want one with the granted scopes", *events)
				}
				text := (*events)[0].Err.Error()
				if !strings.Contains(text, tt.missing) || !strings.Contains(text, tt.extra) {
					t.Errorf("the event says %q, want %s and %s", text, tt.missing, tt.extra)
				}
			})
		})
	}
}

// A refresh that changes the scopes is told, and the stored scopes follow.
func TestScopesThatARefreshChanges(t *testing.T) {
	for granted, want := range map[string]bool{
		"tweet.read users.read offline.access": false,
		"offline.access tweet.read users.read": false,
		"":                                     false,
		"tweet.read":                           true,
		"tweet.read users.read offline.access admin": true,
	} {
		t.Run(granted, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				events := w.scopeEvents()
				w.RefreshFault(wire.JSON(http.StatusOK,
					`{"access_token":"at-2","token_type":"bearer","expires_in":7200,"refresh_token":"rt-2","scope":"`+granted+`"}`), 1)
				time.Sleep(2 * time.Hour)
				w.Token(g)
				if got := len(*events) == 1; got != want || len(*events) > 1 {
					t.Errorf("events = %v, want one: %t", *events, want)
				}
				if stored := w.inspect(); granted != "" && !slices.Equal(stored.Scopes, strings.Fields(granted)) {
					t.Errorf("the stored scopes = %q, want %q", stored.Scopes, granted)
				}
			})
		})
	}
}

// Members that the provider names are stored with the grant, survive answers
// that lack them, and come with every token, also after a restart.
func TestMembersOfAnswersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.clientFor(func(p *provider.Provider) {
			p.KeepMembers = []string{"instance_url", "id_token", "refresh_token_expires_in", "team.id", "absent"}
		})
		g := w.Process(nil)
		tok := w.issue().WithExtra(map[string]any{
			"instance_url": "https://eu.example", "id_token": "header.payload.signature", "refresh_token_expires_in": 86400.0, "team": map[string]any{"id": "T1"},
			"secret_of_nobody": "x",
		})
		w.save(g, tok)
		want := map[string]any{
			"instance_url": "https://eu.example", "id_token": "header.payload.signature", "refresh_token_expires_in": 86400.0, "team.id": "T1",
			"scope": w.Token(g).Extra("scope"), "absent": nil, "team": nil, "secret_of_nobody": nil,
		}
		wantExtra(t, "after the login", w.Token(g), want)
		wantExtra(t, "in another process", w.Token(w.Process(nil)), want)
		for i, answer := range []struct{ members, instance string }{
			{``, "https://eu.example"},
			{`,"instance_url":"https://us.example","refresh_token_expires_in":60`, "https://us.example"},
			{`,"instance_url":null`, "https://us.example"},
		} {
			w.RefreshFault(wire.JSON(http.StatusOK, `{"access_token":"at-`+string(rune('2'+i))+`","token_type":"bearer","expires_in":60`+answer.members+`}`), 1)
			time.Sleep(2 * time.Hour)
			want["instance_url"] = answer.instance
			if i == 1 {
				want["refresh_token_expires_in"] = 60.0
			}
			wantExtra(t, "after a refresh with "+answer.members, w.Token(g), want)
		}
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		stored, err := w.Store.Store.Get(t.Context(), w.keyOf(w.User))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(stored.Value()), "payload") {
			t.Error("the members are in the store after the logout")
		}
	})
}

// A path leads to a member inside an object, also at an exchange and for a
// token that a Keeper has handed out.
func TestMembersInsideObjectsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.clientFor(func(p *provider.Provider) {
			p.TokenObject, p.KeepMembers = "authed_user", []string{"team.id", "authed_user.id"}
		})
		g := w.Process(nil)
		w.save(g, w.issue().WithExtra(map[string]any{"team": map[string]any{"id": "T1"}, "authed_user": map[string]any{"id": "U1"}}))
		wantExtra(t, "after the login", w.Token(g), map[string]any{"team.id": "T1", "authed_user.id": "U1"})
		w.RefreshFault(wire.JSON(http.StatusOK, `{"ok":true,"access_token":"bot","team":{"id":"T2"},`+
			`"authed_user":{"access_token":"at-2","refresh_token":"rt-2","expires_in":7200}}`), 1)
		time.Sleep(2 * time.Hour)
		tok := w.Token(g)
		if tok.AccessToken != "at-2" {
			t.Error("the user's access token is not used")
		}
		wantExtra(t, "after a refresh", tok, map[string]any{"team.id": "T2", "authed_user.id": "U1"})
		w.save(g, tok)
		wantExtra(t, "after another login", w.Token(g), map[string]any{"team.id": "T2", "authed_user.id": "U1"})
	})
}

func wantExtra(t *testing.T, when string, tok *oauth2.Token, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got := tok.Extra(name); !reflect.DeepEqual(got, value) {
			t.Errorf("%s: Extra(%q) = %v, want %v", when, name, got, value)
		}
	}
}

package grant

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// record is one grant as it is stored: the tokens, and what every process must know before it may redeem the refresh token.
type record struct {
	provider, clientID, subject string

	epoch      string    // stays while the grant lives across new authorizations; a login after a logout gets another
	authorized time.Time // when the user last authorized

	access, tokenType, refresh, scope string

	obtained  time.Time // when access was issued
	expiry    time.Time // when access expires; zero if unknown
	refreshed bool      // access came from a refresh, not from an authorization

	state  state
	reason tokensource.Reason // with stateDead
	code   string             // with stateDead: the server's error code

	intent   intent
	doubts   uint64    // times that the refresh token was sent again though an earlier answer had been lost
	failures uint64    // attempts in a row that the server answered with a temporary failure
	retryAt  time.Time // no attempt before; zero means now
}

type state uint64

const (
	stateAlive    state = iota // in use
	stateDead                  // refused by the server; only a new authorization revives it
	stateRevoking              // logged out here; the server has not confirmed the revocation yet
)

// token returns the access token as callers see it.
func (r *record) token() *oauth2.Token {
	t := &oauth2.Token{AccessToken: r.access, TokenType: r.tokenType, Expiry: r.expiry}
	return t.WithExtra(map[string]any{"scope": r.scope})
}

func (r *record) expired(now time.Time) bool { return !r.expiry.IsZero() && !now.Before(r.expiry) }

// usable reports whether the access token may be handed out: alive, not expired, and not the one just rejected.
func (r *record) usable(now time.Time, rejected string) bool {
	return r.state == stateAlive && r.access != rejected && !r.expired(now)
}

// take replaces the tokens by those of tok. An answer without a refresh token or scope leaves the old ones
// (RFC 6749 sections 5.1 and 6).
func (r *record) take(tok *oauth2.Token, now time.Time) {
	r.access, r.tokenType = tok.AccessToken, tok.TokenType
	if tok.RefreshToken != "" {
		r.refresh = tok.RefreshToken
	}
	if scope, _ := tok.Extra("scope").(string); scope != "" {
		r.scope = scope
	}
	r.obtained, r.expiry = now, tok.Expiry
	r.state, r.reason, r.code = stateAlive, "", ""
	r.intent, r.doubts, r.failures, r.retryAt = intent{}, 0, 0, time.Time{}
}

// Key returns the storage key of the grant that a subject has given to a client of a provider (Provider.Name):
// "grant-" and a hash, so that no user's name stands in the backend. No two triples share one.
func Key(provider, clientID, subject string) string {
	h := sha256.New()
	for _, part := range []string{provider, clientID, subject} { // with lengths, so that their borders count
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return "grant-" + hex.EncodeToString(h.Sum(nil))
}

func randomID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

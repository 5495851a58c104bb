package oidc_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A token with an unknown key causes one request, and at most one in a minute.
func TestUnknownKeysCauseBoundedRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t)
		v := s.verifier(t, nil)
		verify := func() error {
			_, err := v.VerifyIDToken(t.Context(), s.token(t, nil), login())
			return err
		}
		for range 3 {
			if err := verify(); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.requests.Load(); n != 1 {
			t.Fatalf("three tokens with one key caused %d requests, want 1", n)
		}
		if err := s.Rotate("ES256"); err != nil {
			t.Fatal(err)
		}
		// The server has a new key a moment after the keys were read. The login
		// can be finished later.
		e, ok := errors.AsType[*tokensource.Error](verify())
		if !ok || !errors.Is(e, tokensource.ErrTemporary) || e.RetryAfter <= 0 || s.requests.Load() != 1 {
			t.Fatalf("a new key within a minute = %v after %d requests, want ErrTemporary and no request", e, s.requests.Load())
		}
		time.Sleep(e.RetryAfter)
		if err := verify(); err != nil || s.requests.Load() != 2 {
			t.Errorf("a new key after RetryAfter = %v after %d requests, want 2", err, s.requests.Load())
		}
		time.Sleep(2 * time.Minute)
		raw, err := s.Sign(claims(nil), object{"kid": "made up"})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, err := v.VerifyLogoutToken(t.Context(), raw); err == nil {
				t.Error("VerifyLogoutToken(a made up key) = nil")
			}
		}
		if n := s.requests.Load(); n != 3 {
			t.Errorf("tokens with a made up key caused %d more requests, want 1", n-2)
		}
	})
}

// A token that is signed wrongly, with the ID of a known key, is refused for
// good. The server may have another key of that ID.
func TestAKeyThatWasReplacedUnderItsID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, other := newServer(t), newServer(t)
		v := s.verifier(t, nil)
		if _, err := v.VerifyIDToken(t.Context(), s.token(t, nil), login()); err != nil {
			t.Fatal(err)
		}
		tok := other.token(t, nil)
		if _, err := v.VerifyIDToken(t.Context(), tok, login()); !isRefusal(err) {
			t.Errorf("VerifyIDToken(wrong signature) = %v, want a refusal", err)
		}
		time.Sleep(2 * time.Minute)
		s.answer = func() (int, []byte) { return http.StatusOK, other.JWKS() }
		if _, err := v.VerifyIDToken(t.Context(), tok, login()); err != nil {
			t.Errorf("VerifyIDToken(the server has replaced its key) = %v", err)
		}
	})
}

// During a refresh nothing waits for the keys. A wrong signature has them read
// for the next refresh.
func TestAKeyThatWasReplacedUnderItsIDDuringARefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, other := newServer(t), newServer(t)
		v := s.verifier(t, nil)
		if _, err := v.VerifyIDToken(t.Context(), s.token(t, nil), login()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		s.answer = func() (int, []byte) {
			time.Sleep(time.Second)
			return http.StatusOK, other.JWKS()
		}
		tok, want, began := other.token(t, nil), provider.IDTokenRequest{Refreshed: true}, time.Now()
		if _, err := v.VerifyIDToken(t.Context(), tok, want); !isRefusal(err) || time.Since(began) > 0 {
			t.Errorf("VerifyIDToken(refreshed, wrong signature) = %v after %v, want a refusal at once", err, time.Since(began))
		}
		time.Sleep(2 * time.Second)
		if _, err := v.VerifyIDToken(t.Context(), tok, want); err != nil || s.requests.Load() != 2 {
			t.Errorf("VerifyIDToken(the server has replaced its key) = %v after %d requests, want 2", err, s.requests.Load())
		}
	})
}

func TestKeysWhileTheServerIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t)
		v := s.verifier(t, nil)
		verify := func() error {
			_, err := v.VerifyIDToken(t.Context(), s.token(t, nil), login())
			return err
		}
		s.fails = true
		for range 3 {
			if err := verify(); !errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("without any key = %v, want ErrTemporary", err)
			}
		}
		if n := s.requests.Load(); n != 1 {
			t.Errorf("three tokens in a moment caused %d requests, want 1", n)
		}
		time.Sleep(5 * time.Second)
		s.fails = false
		if err := verify(); err != nil {
			t.Errorf("five seconds after a failure = %v", err)
		}
		s.fails = true
		for _, d := range []time.Duration{0, 2 * time.Hour, 20 * time.Hour} {
			time.Sleep(d)
			if err := verify(); err != nil {
				t.Errorf("with keys that are %v older = %v", d, err)
			}
		}
		time.Sleep(3 * time.Hour)
		if err := verify(); !errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("with keys of more than a day = %v, want ErrTemporary", err)
		}
	})
}

// A key that the server has withdrawn is not honoured for longer than an hour.
func TestAWithdrawnKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t)
		v := s.verifier(t, nil)
		raw, err := s.Sign(claims(object{"exp": time.Now().Add(9 * time.Hour).Unix()}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.VerifyIDToken(t.Context(), with(raw), login()); err != nil {
			t.Fatal(err)
		}
		if err := s.Rotate("ES256"); err != nil {
			t.Fatal(err)
		}
		s.Withdraw()
		time.Sleep(time.Hour)
		if _, err := v.VerifyIDToken(t.Context(), with(raw), login()); !isRefusal(err) {
			t.Errorf("VerifyIDToken(signed with a withdrawn key) = %v, want a refusal", err)
		}
	})
}

func TestParallelTokensShareOneRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t)
		s.answer = func() (int, []byte) {
			time.Sleep(time.Second)
			return http.StatusOK, s.JWKS()
		}
		v := s.verifier(t, nil)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := v.VerifyIDToken(t.Context(), s.token(t, nil), login()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := s.requests.Load(); n != 1 {
			t.Errorf("50 tokens at once caused %d requests, want 1", n)
		}
	})
}

func TestAnswersThatAreNoKeys(t *testing.T) {
	for name, answer := range map[string]func() (int, []byte){
		"a redirect":        func() (int, []byte) { return http.StatusFound, nil },
		"a failure":         func() (int, []byte) { return http.StatusInternalServerError, []byte(`{"keys":[]}`) },
		"a page":            func() (int, []byte) { return http.StatusOK, []byte("<html>") },
		"no list":           func() (int, []byte) { return http.StatusOK, []byte(`{}`) },
		"more than one MiB": func() (int, []byte) { return http.StatusOK, []byte(strings.Repeat(" ", 1<<20) + `{"keys":[]}`) },
	} {
		s := newServer(t)
		s.answer = answer
		if _, err := s.verifier(t, nil).VerifyIDToken(t.Context(), s.token(t, nil), login()); !errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("VerifyIDToken(%s in place of keys) = %v, want ErrTemporary", name, err)
		}
	}
}

// Keys that must not verify a token are left out, and the others count.
func TestKeysThatDoNotFit(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // it is to be refused
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t)
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(s.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	good := string(set.Keys[0])
	weakKey, err := json.Marshal(jose.JSONWebKey{Key: weak.Public(), KeyID: "key-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, keys string
		ok         bool
	}{
		{"beside keys that nobody can read", `{"kty":"OKP","crv":"Ed448","x":"AA"},7,{"kty":"new"},` + good, true},
		{"beside a weak key of the same ID", string(weakKey) + "," + good, true},
		{"for encryption", strings.Replace(good, `"sig"`, `"enc"`, 1), false},
		{"for another algorithm", strings.Replace(good, `"ES256"`, `"ES384"`, 1), false},
		{"without an algorithm", strings.Replace(good, `"alg":"ES256",`, "", 1), true},
		{"of another ID", strings.Replace(good, `"key-1"`, `"key-2"`, 1), false},
		{"symmetric", `{"kty":"oct","kid":"key-1","k":"AAAA"}`, false},
	} {
		s.answer = func() (int, []byte) { return http.StatusOK, []byte(`{"keys":[` + tt.keys + `]}`) }
		if _, err := s.verifier(t, nil).VerifyIDToken(t.Context(), s.token(t, nil), login()); (err == nil) != tt.ok {
			t.Errorf("VerifyIDToken(with a key %s) = %v, want ok %v", tt.name, err, tt.ok)
		}
	}
	weakServer := newServer(t)
	weakServer.answer = func() (int, []byte) { return http.StatusOK, []byte(`{"keys":[` + string(weakKey) + `]}`) }
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: weak}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := weakServer.verifier(t, nil).VerifyIDToken(t.Context(), with(raw), login()); err == nil {
		t.Error("VerifyIDToken(signed with an RSA key of 1024 bits) = nil, want an error")
	}
}

// The work for a signature grows faster than the key, and a server that users
// name chooses both.
func TestAnRSAKeyThatIsHuge(t *testing.T) {
	n := bytes.Repeat([]byte{0xff}, 40_000)
	text := base64.RawURLEncoding.EncodeToString
	payload, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	raw := text([]byte(`{"alg":"RS256","kid":"huge"}`)) + "." + text(payload) + "." + text(n[1:]) + "AA"
	s := newServer(t)
	s.answer = func() (int, []byte) {
		return http.StatusOK, []byte(`{"keys":[{"kty":"RSA","kid":"huge","e":"AQAB","n":"` + text(n) + `"}]}`)
	}
	_, err = s.verifier(t, nil).VerifyIDToken(t.Context(), with(raw), login())
	if err == nil || !strings.Contains(err.Error(), "has not published") {
		t.Errorf("VerifyIDToken(signed with an RSA key of 320,000 bits) = %v, want that no key fits", err)
	}
}

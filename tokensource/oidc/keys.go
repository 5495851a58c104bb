package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/backchannel"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/tokensource"
)

const (
	keysFresh  = time.Hour        // after that the keys are read again
	keysUsable = 24 * time.Hour   // while they cannot be read again
	keysPause  = time.Minute      // between two requests for an unknown key
	keysRetry  = 5 * time.Second  // after a request that failed
	keysTime   = 10 * time.Second // bounds one request
	maxKeys    = 1 << 20          // bytes of one answer
	minRSA     = 2048             // bits
)

// keySet are the keys that a server publishes (RFC 7517). Reading them again is
// bounded in rate, because a stranger can send a token with any key ID.
type keySet struct {
	url    string
	client *http.Client
	reads  singleflight.Group

	mu     sync.Mutex // guards the rest; never held across I/O
	keys   []jose.JSONWebKey
	read   time.Time // the beginning of the last request that succeeded
	tried  time.Time // the end of the last request
	failed bool      // the last request
}

func newKeySet(url string, client *http.Client) *keySet {
	own := &http.Client{
		Timeout:       keysTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if client != nil {
		own.Transport = client.Transport
	}
	return &keySet{url: url, client: own}
}

// known returns the keys in memory, none if they are too old, and whether they
// are fresh. The wait is how long no request may be made.
func (s *keySet) known() (keys []jose.JSONWebKey, fresh bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, pause := time.Now(), keysPause
	if s.failed {
		pause = keysRetry
	}
	if !s.tried.IsZero() {
		wait = max(0, pause-now.Sub(s.tried))
	}
	if age := now.Sub(s.read); !s.read.IsZero() && age < keysUsable {
		keys, fresh = s.keys, age < keysFresh
	}
	return keys, fresh, wait
}

var (
	errBadSignature = errors.New("its signature is not valid")
	errUnknownKey   = errors.New("it is signed with a key that the server has not published")
)

// verify returns the payload of a token that one of the keys has signed. Keys
// are read again if they are not fresh, and if none of them fits (OpenID
// Connect Core section 10.1.1).
func (s *keySet) verify(ctx context.Context, op string, jws *jose.JSONWebSignature) ([]byte, error) {
	keys, fresh, wait := s.known()
	payload, err := verifyWith(keys, jws)
	switch {
	case err == nil && (fresh || wait > 0):
		return payload, nil
	case wait > 0 && errors.Is(err, errUnknownKey): // the key may be a new one
		return nil, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, RetryAfter: wait, Err: err}
	case wait > 0:
		return nil, refused(op, "%w", err)
	}
	again, failure := flight.Wait[[]jose.JSONWebKey](ctx, s.fetch(ctx))
	switch {
	case failure != nil && err == nil:
		return payload, nil
	case failure != nil:
		return nil, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: failure}
	}
	if payload, err = verifyWith(again, jws); err != nil {
		return nil, refused(op, "%w", err)
	}
	return payload, nil
}

// verifyKnown is verify without waiting for a request. It returns errUnknownKey
// if nothing can be told. If the signature is wrong, the server may have
// another key of that ID by now: it is asked in the background, for the next
// token.
func (s *keySet) verifyKnown(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	keys, _, wait := s.known()
	payload, err := verifyWith(keys, jws)
	if errors.Is(err, errBadSignature) && wait == 0 {
		s.fetch(ctx)
	}
	return payload, err
}

// verifyWith tries the keys that fit.
func verifyWith(keys []jose.JSONWebKey, jws *jose.JSONWebSignature) ([]byte, error) {
	header, found := jws.Signatures[0].Header, false
	for _, key := range keys {
		if !fits(key, header) {
			continue
		}
		found = true
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	if found {
		return nil, errBadSignature
	}
	return nil, errUnknownKey
}

// fits reports whether a key may have signed a token with this header. Only
// public keys count: with a symmetric one, everybody could sign.
func fits(key jose.JSONWebKey, header jose.Header) bool {
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA {
			return false
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return false
	}
	return (key.Use == "" || key.Use == "sig") &&
		(key.Algorithm == "" || key.Algorithm == header.Algorithm) &&
		(header.KeyID == "" || key.KeyID == header.KeyID)
}

// fetch reads the keys, once for all callers.
func (s *keySet) fetch(ctx context.Context) <-chan singleflight.Result {
	return s.reads.DoChan("", func() (any, error) {
		began := time.Now()
		keys, err := s.get(backchannel.With(context.WithoutCancel(ctx)))
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tried, s.failed = time.Now(), err != nil
		if err != nil {
			return nil, err
		}
		s.keys, s.read = keys, began
		return keys, nil
	})
}

// get makes one request. Keys that cannot be read are left out, because a
// server may publish keys for other purposes (RFC 7517 section 5).
func (s *keySet) get(ctx context.Context) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "authtrip")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, unanswered(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the keys of the server cannot be read: HTTP %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys+1))
	if err != nil || len(body) > maxKeys {
		return nil, errors.New("the keys of the server cannot be read: the answer is cut off, or too long")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil || set.Keys == nil {
		return nil, errors.New("the keys of the server cannot be read: the answer is no key set")
	}
	keys := []jose.JSONWebKey{}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && key.Valid() {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// unanswered says why a request has no answer. Package net/http quotes what it
// cannot parse, so only errors of the network and of TLS are told.
func unanswered(err error) error {
	why := error(errors.New("no valid answer came back"))
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		why = e
	} else if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		why = e
	} else if e, ok := errors.AsType[*net.OpError](err); ok {
		why = e
	} else if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		why = context.DeadlineExceeded
	}
	return fmt.Errorf("the keys of the server cannot be read: %w", why)
}

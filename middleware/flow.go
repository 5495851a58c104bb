package middleware

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// flow is one login on its way. It lives in a cookie of its own, sealed, so
// that tabs do not disturb each other and the server keeps nothing. State,
// issuer and client are bound to it by the seal.
type flow struct {
	state    redact.Hidden // 32 random bytes; holds no data
	verifier redact.Hidden // RFC 7636 section 4.1
	callback callback      // of the redirect URL that was sent
	scopes   []string      // that were asked for, or nil for those of the client
	openID   openID        // for OpenID Connect
	key      redact.Hidden // of the proofs of possession; empty for none
	subject  string        // who must log in; empty for anybody
	bound    string        // stands for the user of the app who began, if the app has users of its own
	returnTo string        // local path, checked before it got here
	expires  time.Time

	account string        // the user of the app, as soon as that is known
	client  *oauth.Client // with that redirect URL and these scopes
	target  string        // the URL of the authorization request, before it was sent
}

func newFlow(returnTo string, life time.Duration) flow {
	var state [32]byte
	rand.Read(state[:])
	return flow{
		state:    redact.Hide(base64.RawURLEncoding.EncodeToString(state[:])),
		verifier: redact.Hide(oauth2.GenerateVerifier()),
		returnTo: returnTo,
		expires:  time.Now().Add(life).Truncate(time.Second).UTC(),
	}
}

// A flow is sealed as the second of its expiry, the verifier, the hash of the
// redirect URL, the scopes, a line break, what is for OpenID Connect, a line
// break, the key, a line break, the user who must log in, a line break, what
// stands for the user of the app, a line break, and the return path.
const (
	atVerifier = 4
	atRedirect = atVerifier + 32
	atScopes   = atRedirect + 4
)

var errNoFlow = errors.New("middleware: not a flow")

func (f flow) encode() ([]byte, error) {
	b := binary.BigEndian.AppendUint32(nil, uint32(f.expires.Unix()))
	b, err := base64.RawURLEncoding.AppendDecode(b, []byte(f.verifier.Reveal()))
	if err != nil || len(b) != atRedirect {
		return nil, errNoFlow
	}
	b = append(b, f.callback.hash()...)
	return append(b, strings.Join([]string{
		strings.Join(f.scopes, " "), f.openID.encode(), f.encodeKey(), f.subject, f.bound, f.returnTo,
	}, "\n")...), nil
}

// decodeFlow reads what encode has written for one of the redirect URLs.
func (l *login) decodeFlow(state string, plain []byte) (flow, error) {
	if len(plain) < atScopes {
		return flow{}, errNoFlow
	}
	lines := strings.SplitN(string(plain[atScopes:]), "\n", 6)
	if len(lines) != 6 {
		return flow{}, errNoFlow
	}
	asked, valid := decodeOpenID(lines[1])
	key, intact := decodeKey(lines[2])
	if !valid || !intact || !isAccountMark(lines[4]) {
		return flow{}, errNoFlow
	}
	f := flow{
		state:    redact.Hide(state),
		verifier: redact.Hide(base64.RawURLEncoding.EncodeToString(plain[atVerifier:atRedirect])),
		openID:   asked,
		key:      key,
		subject:  lines[3],
		bound:    lines[4],
		returnTo: lines[5],
		expires:  time.Unix(int64(binary.BigEndian.Uint32(plain)), 0),
	}
	if lines[0] != "" {
		f.scopes = strings.Split(lines[0], " ")
	}
	i := slices.IndexFunc(l.site.callbacks, func(c callback) bool { return bytes.Equal(c.hash(), plain[atRedirect:atScopes]) })
	if i < 0 {
		return flow{}, errNoFlow // the redirect URL is not configured any more
	}
	f.callback = l.site.callbacks[i]
	var err error
	f.client, err = l.clientOf(f)
	return f, err
}

// sealFlow returns f as the value of a cookie.
func (l *login) sealFlow(ctx context.Context, f flow) (string, error) {
	state := f.state.Reveal()
	plain, err := f.encode()
	if err != nil {
		return "", err
	}
	sealed, err := l.keys.Seal(ctx, plain, l.binding(forFlow, state))
	if err != nil {
		return "", err
	}
	return flowLabel(state, f.expires) + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// openFlow reads the value of a cookie that has the label of state.
func (l *login) openFlow(ctx context.Context, state, value string) (flow, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value[labelSize:])
	if err != nil {
		return flow{}, errNotSealed
	}
	plain, err := l.keys.Open(ctx, sealed, l.binding(forFlow, state))
	if err != nil {
		return flow{}, err
	}
	f, err := l.decodeFlow(state, plain)
	if err != nil {
		return flow{}, errNotSealed // written by another version
	}
	return f, nil
}

// find returns the flow of this browser that has the given state. An error is
// an *Error of kind ErrFlowNotFound, or tokensource.ErrTemporary if the keys
// could not be used. The seal of a flow opens with its own state only.
func (l *login) find(r *http.Request, state string) (name string, f flow, err error) {
	name, value := l.cookies.flowOf(r, state)
	if name == "" {
		return "", flow{}, &Error{Op: opCallback, Kind: ErrFlowNotFound, Cause: causeNoFlow}
	}
	f, err = l.openFlow(r.Context(), state, value)
	switch {
	case err != nil:
		return "", flow{}, l.unsealed(opCallback, err)
	case !l.site.arrived(r, f.callback):
		return "", flow{}, &Error{Op: opCallback, Kind: ErrFlowNotFound, Cause: "the answer came to another address than the one that was asked for"}
	case !time.Now().Before(f.expires):
		return "", flow{}, &Error{Op: opCallback, Kind: ErrFlowNotFound, Cause: causeExpired, returnTo: f.returnTo}
	}
	return name, f, nil
}

const (
	causeNoFlow = "the login took too long, was finished already, or was started in another browser or at another address of " +
		"this site (localhost and 127.0.0.1 are two addresses), or the browser keeps no cookies"
	causeExpired = "the login took too long"
)

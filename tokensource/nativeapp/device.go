package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/deviceauth"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A DeviceCode is what the user needs to log in on another machine ([RFC 8628]
// section 3.3). It has no control characters, and its URLs are https or on this
// machine, so that it may be printed on a terminal.
//
// [RFC 8628]: https://www.rfc-editor.org/rfc/rfc8628
type DeviceCode struct {
	UserCode        string
	VerificationURI string

	// VerificationURIComplete has the user code in it, for a link or a QR code.
	// Show the user code beside it, so that the user can compare it. It is empty
	// if the server has none.
	VerificationURIComplete string

	// Expires is when the login ends if the user has not finished it: when the
	// code expires, and after 30 minutes at the latest.
	Expires time.Time
}

// String returns what to print for the user, with a warning: somebody else who
// makes a user enter a code can act as that user (RFC 8628 section 5.4).
func (d DeviceCode) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "To log in, open %s and enter the code %s\n", d.VerificationURI, d.UserCode)
	if d.VerificationURIComplete != "" {
		fmt.Fprintf(&b, "or open %s and compare the code.\n", d.VerificationURIComplete)
	}
	b.WriteString("Enter a code only if you have started this login yourself. Never enter one that somebody sent you.\n")
	return b.String()
}

// slowDown is what each slow_down adds to the interval (RFC 8628 section 3.5).
const slowDown = 5 * time.Second

// longestPoll is the longest pause that a failure of the server or of the
// network leads to, if the server does not ask for more.
const longestPoll = time.Minute

// Device logs a user in by a code that the user enters on any machine ([RFC
// 8628]). It asks for the code, calls show with it, and waits until the user
// has finished. If show fails, the login ends with the same error. Nil options
// ask for what the client says.
//
// It returns the user, whose grant is stored under the Subject. The error is
// ErrDenied if the user refused, ErrExpired if the code expired, and errors of
// package oauth otherwise. Failures of the server and of the network do not
// end the login before the code expires.
//
// [RFC 8628]: https://www.rfc-editor.org/rfc/rfc8628
func (a *App) Device(ctx context.Context, show func(context.Context, DeviceCode) error, o *LoginOptions) (provider.Identity, error) {
	if show == nil {
		return provider.Identity{}, errors.New("nativeapp: Device needs a function that shows the code to the user")
	}
	l, err := a.begin(ctx, "", o)
	if err != nil {
		return provider.Identity{}, err
	}
	code, err := l.client.AskDeviceCode(ctx, l.params)
	if err != nil {
		return provider.Identity{}, err
	}
	err = show(ctx, DeviceCode{code.UserCode, code.VerificationURI, code.VerificationURIComplete, code.Expiry})
	if err != nil {
		return provider.Identity{}, err
	}
	tok, asked, err := l.poll(ctx, code)
	if err != nil {
		return provider.Identity{}, l.failed(ctx, err)
	}
	return l.finish(ctx, tok, asked)
}

// poll asks for the tokens until there is an answer that decides. After that it
// asks no more: some servers would issue tokens again.
func (l *login) poll(ctx context.Context, code *oauth2.DeviceAuthResponse) (*oauth2.Token, time.Time, error) {
	form := url.Values{"device_code": {code.DeviceCode}}
	p := pace{interval: time.Duration(code.Interval) * time.Second}
	for {
		if !sleep(ctx, p.next()) {
			return nil, time.Time{}, fmt.Errorf("nativeapp: gave up waiting for the user: %w", context.Cause(ctx))
		}
		asked := time.Now()
		if !asked.Before(code.Expiry) {
			return nil, time.Time{}, ErrExpired
		}
		tok, err := l.client.ExtensionGrant(ctx, deviceauth.GrantType, form)
		if err == nil {
			return tok, asked, nil
		}
		if ctx.Err() == nil && p.goesOn(err) {
			continue
		}
		return nil, time.Time{}, pollError(ctx, err)
	}
}

// pace decides how long to wait between two requests.
type pace struct {
	interval time.Duration // which the server demands; it never becomes shorter
	failures uint          // of the network and the server, in a row
	asked    time.Duration // by the server, after the last failure
}

// next returns the pause before the next request. It doubles with each failure
// (RFC 8628 section 3.5).
func (p *pace) next() time.Duration {
	pause := p.interval
	for range min(p.failures, 10) {
		pause = max(p.interval, min(2*pause, longestPoll))
	}
	return max(pause, p.asked)
}

// goesOn reports whether the login goes on after an answer without tokens.
func (p *pace) goesOn(err error) bool {
	e, ok := errors.AsType[*tokensource.Error](err)
	if !ok {
		return false
	}
	p.asked = 0
	switch {
	case e.Code == "authorization_pending":
		p.failures = 0
		return true
	case e.Code == "slow_down":
		p.failures, p.interval = 0, p.interval+slowDown
		return true
	case errors.Is(e, tokensource.ErrTemporary):
		p.failures++
		p.asked = min(e.RetryAfter, 5*longestPoll)
		return true
	}
	return false
}

// pollError returns the error of a login that an answer has ended.
func pollError(ctx context.Context, err error) error {
	e, ok := errors.AsType[*tokensource.Error](err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("nativeapp: gave up waiting for the user: %w", context.Cause(ctx))
	case ok && e.Code == "access_denied":
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case ok && e.Code == "expired_token":
		return fmt.Errorf("%w: %w", ErrExpired, err)
	}
	return err
}

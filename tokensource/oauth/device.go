package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/tokensource"
)

const opDevice = "device"

const (
	maxUserCode        = 64
	maxVerificationURI = 2 << 10

	longestDeviceLife     = 30 * time.Minute // of a device code; also if the server names none
	defaultDeviceInterval = 5 * time.Second  // RFC 8628 section 3.2
	longestDeviceInterval = 10 * time.Minute
)

// errNoDevice is the error of a device authorization without an endpoint.
var errNoDevice = &tokensource.Error{
	Op: opDevice, Err: errors.ErrUnsupported, Hint: "the provider has no DeviceAuthorizationURL: log in with a browser on this machine",
}

// askDeviceCode sends a device authorization request (RFC 8628 section 3.1).
func (c *Client) askDeviceCode(ctx context.Context, params url.Values) (*oauth2.DeviceAuthResponse, error) {
	if c.at.device == "" {
		return nil, errNoDevice
	}
	if err := c.checkKey(); err != nil {
		return nil, err
	}
	for name := range params {
		if slices.Contains(reserved, name) || slices.Contains(ofTheClient, name) {
			return nil, fmt.Errorf("oauth: parameter %q is set by the Client and cannot be given: see Registration", name)
		}
	}
	form := cloneForm(params)
	c.addScopes(form)
	c.addResources(form)
	a, err := c.post(ctx, call{op: opDevice, endpoint: c.at.device, form: form})
	if err != nil {
		return nil, err
	}
	object := read(a.body)
	switch {
	case !a.success() || hasError(object):
		return nil, c.failure(opDevice, a)
	case a.cut != nil:
		return nil, &tokensource.Error{Op: opDevice, Kind: tokensource.ErrTemporary, Status: a.status, Err: a.cut}
	}
	d, err := readDeviceAuth(object, a.sent)
	if err != nil {
		return nil, &tokensource.Error{Op: opDevice, Kind: tokensource.ErrClient, Status: a.status, Err: err}
	}
	return d, nil
}

// readDeviceAuth reads the answer (RFC 8628 section 3.2). What a person will
// see has a form that no terminal and no browser misunderstands.
func readDeviceAuth(o members.Object, sent time.Time) (*oauth2.DeviceAuthResponse, error) {
	d := &oauth2.DeviceAuthResponse{
		UserCode: text(o, "user_code"), VerificationURI: text(o, "verification_uri"), VerificationURIComplete: text(o, "verification_uri_complete"),
	}
	if d.VerificationURI == "" {
		d.VerificationURI = text(o, "verification_url") // as some servers call it
	}
	var err error
	if d.DeviceCode, err = credential(o, "device_code", ascii.Text); err != nil {
		return nil, err
	}
	switch {
	case d.DeviceCode == "":
		return nil, errors.New("the answer has no device_code: it is not one of a device authorization endpoint")
	case d.UserCode == "" || len(d.UserCode) > maxUserCode || !ascii.Text(d.UserCode):
		return nil, errors.New("the answer's user_code is missing, too long, or has characters that must not be shown")
	case !opensSafely(d.VerificationURI):
		return nil, errors.New("the answer's verification_uri must be an https URL, or one on this machine (RFC 8628 section 5.4)")
	}
	if !opensSafely(d.VerificationURIComplete) {
		d.VerificationURIComplete = "" // optional: the person enters the code
	}
	life, interval := longestDeviceLife, defaultDeviceInterval
	if raw, _ := o.Raw("expires_in"); raw != nil {
		if named, known := lifetime(raw); known {
			life = min(named, longestDeviceLife) // the loop that waits for the user must end (G10)
		}
	}
	if raw, _ := o.Raw("interval"); raw != nil {
		if named, known := lifetime(raw); known {
			interval = min(named, longestDeviceInterval)
		}
	}
	d.Expiry, d.Interval = sent.Add(life), int64(interval/time.Second)
	return d, nil
}

func text(o members.Object, name string) string {
	raw, _ := o.Raw(name)
	return members.Text(raw)
}

// opensSafely reports whether a URL from the server may be shown, and opened by
// a person: an https URL, or one on this machine, without a user name, of
// limited length and without characters that a terminal could act upon.
func opensSafely(raw string) bool {
	if raw == "" || len(raw) > maxVerificationURI || !ascii.Visible(raw) {
		return false
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback.Host(u.Hostname())
}

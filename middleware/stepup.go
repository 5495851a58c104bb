package middleware

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/tokensource"
)

// The bound of logins that ask for the same again (T11).
const (
	maxStepUps   = 3
	stepUpWindow = 10 * time.Minute
)

// stepUp returns o with everything that an API has found missing as scopes and
// parameters of the request (T11). The subject is the user who sent r, or
// empty.
func (l *login) stepUp(r *http.Request, o BeginOptions) (_ BeginOptions, subject string, err error) {
	if !o.stepsUp() {
		return o, "", nil
	}
	if err := o.checkStepUp(); err != nil {
		return o, "", &Error{Op: opAuthorize, Kind: tokensource.ErrClient, Err: err}
	}
	had, subject, err := l.granted(r)
	if err != nil {
		return o, "", err
	}
	if o.MoreScopes != nil {
		asked := o.Scopes
		if asked == nil {
			asked = l.client.Scopes()
		}
		o.Scopes = nil
		for _, s := range slices.Concat(asked, had, o.MoreScopes) {
			if !slices.Contains(o.Scopes, s) {
				o.Scopes = append(o.Scopes, s)
			}
		}
	}
	o.Params = cloneParams(o.Params)
	if o.Params == nil {
		o.Params = url.Values{}
	}
	if len(o.ACRValues) > 0 {
		o.Params.Set("acr_values", strings.Join(o.ACRValues, " "))
	}
	if o.MaxAge != nil {
		o.Params.Set("max_age", strconv.FormatInt(int64(*o.MaxAge/time.Second), 10))
	}
	return o, subject, nil
}

// stepsUp reports whether an API has found something missing.
func (o BeginOptions) stepsUp() bool {
	return o.MoreScopes != nil || o.ACRValues != nil || o.MaxAge != nil
}

// checkStepUp refuses what the request could not carry. Without its values, no
// ID token would have to show that the login was a better one.
func (o BeginOptions) checkStepUp() error {
	if o.MaxAge != nil && *o.MaxAge < 0 {
		return errors.New("middleware: BeginOptions.MaxAge is negative")
	}
	for _, value := range o.ACRValues {
		if value == "" || !ascii.Visible(value) {
			return errors.New("middleware: BeginOptions.ACRValues has a value that is empty, or has spaces or characters beyond ASCII")
		}
	}
	return nil
}

// countStepUp refuses a login that asks for the same as several before it.
func (l *login) countStepUp(subject string, o BeginOptions) error {
	if subject == "" || l.stepUps.Allow(need(subject, o), time.Now()) {
		return nil
	}
	return &Error{
		Op: opAuthorize, Kind: ErrAccessDenied, Retry: l.site.authorize,
		Cause: "the logins before this one did not give what is needed",
	}
}

// granted returns the scopes of the grant of the user who sent r, and who that
// is. A request without a session has neither.
func (l *login) granted(r *http.Request) (scopes []string, subject string, err error) {
	if l.connects() {
		subject, err = l.acting(r)
	} else {
		var v visit
		v, err = l.current(r)
		subject = v.ticket.Subject
	}
	switch {
	case errors.Is(err, errNoSession):
		return nil, "", nil
	case err == nil:
		g, failed := l.keeping.Read(r.Context(), subject)
		if failed == nil && len(g.Scopes) > 0 {
			return g.Scopes, subject, nil
		}
		if failed == nil {
			return g.Asked, subject, nil
		}
		if errors.Is(failed, tokensource.ErrNoGrant) {
			return nil, subject, nil
		}
		err = failed
	}
	return nil, "", &Error{Op: opAuthorize, Kind: tokensource.ErrTemporary, Cause: "the grant could not be read", Retry: l.site.authorize, Err: err}
}

// need names a user and what is missing.
func need(subject string, o BeginOptions) string {
	scopes, acr := slices.Sorted(slices.Values(o.MoreScopes)), slices.Sorted(slices.Values(o.ACRValues))
	return strings.Join([]string{subject, strings.Join(scopes, " "), strings.Join(acr, " ")}, "\x00")
}

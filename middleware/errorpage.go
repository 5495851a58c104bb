package middleware

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

//go:embed errorpage.html
var errorPageHTML string

//go:embed errorpage.css
var errorPageCSS string

var errorPage = template.Must(template.New("error").Parse(errorPageHTML))

// errorPolicy allows the page to show itself, and nothing more. It does not
// limit where its form may lead: Chromium would apply the limit to each
// redirect that follows, and a logout can lead to a page that sends the browser
// to the authorization server. The page has no form but its own.
var errorPolicy = "default-src 'none'; style-src 'sha256-" + styleHash() +
	"'; frame-ancestors 'none'; base-uri 'none'"

func styleHash() string {
	sum := sha256.Sum256([]byte(errorPageCSS))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// pageData is what the template shows. The template escapes all of it.
type pageData struct {
	Style             template.CSS
	Title, Text       string
	Code, Description string
	Retry, Label      string
	Post              bool
	App, Home         string
}

// ErrorPage is the default answer for err, an *Error. A browser gets a page
// that says what happened, where to try again, and how to get back to the app.
// A program gets JSON with "error", "message" and "retry". It shows nothing of
// Error.Err. The page loads nothing, runs no script and cannot be framed.
func ErrorPage(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Kind: err}
	}
	private(w)
	about := e.about()
	if !isPage(r) {
		body := map[string]string{"error": about.code, "message": about.text}
		if e.Retry != "" {
			body["retry"] = e.Retry
		}
		writeJSON(w, e.Status(), body)
		return
	}
	data := pageData{
		Style: template.CSS(errorPageCSS), Title: about.title, Text: about.text, Code: e.Code,
		Description: e.Description, Retry: e.Retry, Label: about.label,
		Post: e.posts(), App: e.App, Home: e.Home,
	}
	if data.Post {
		// Its address has no secret. With no-referrer, a browser without Fetch
		// Metadata would post "Origin: null", as a page of another site can.
		w.Header().Set("Referrer-Policy", "same-origin")
	}
	var page bytes.Buffer
	if errorPage.Execute(&page, data) != nil {
		http.Error(w, about.title, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", errorPolicy)
	w.WriteHeader(e.Status())
	if r.Method != http.MethodHead {
		_, _ = page.WriteTo(w) // the browser may be gone
	}
}

// posts reports whether the page for e has a form.
func (e *Error) posts() bool {
	return e.Op == opLogout || e.Op == opDisconnect || e.connects && errors.Is(e.Kind, ErrCrossOrigin)
}

// wording is what is said of one kind of error, to people and to programs.
type wording struct {
	kind                     error
	code, title, text, label string
}

var wordings = []wording{
	{ErrAccessDenied, "access_denied", "Access was not given", "You chose not to give access. Nothing was changed.", "Log in after all"},
	{ErrProvider, "provider_error", "Login failed", "The service you log in with reported an error.", ""},
	{ErrFlowNotFound, "flow_not_found", "This login is no longer valid", "It cannot be finished.", ""},
	{ErrFlowUsed, "flow_used", "This login was used already", "The page was loaded twice. If you are logged in, go on. Otherwise log in again.", "Continue"},
	{ErrIssuerMismatch, "issuer_mismatch", "Login refused", "The answer did not come from the service that was asked. For your safety it was ignored.", ""},
	{ErrBadCallback, "bad_callback", "Login failed", "The answer of the service you log in with could not be read.", ""},
	{ErrForged, "forged", "Login failed", "This address is not the answer to a login of yours.", ""},
	{ErrReturnPath, "bad_return_path", "This link is not valid", "It would lead away from this site after the login.", "Log in"},
	{ErrNotNavigation, "not_a_navigation", "Open this page yourself", "A login starts when you open its page, not in the background.", "Log in"},
	{ErrRefused, "refused", "You may not log in here", "This account has no access.", "Use another account"},
	{ErrLogoutFailed, "logout_failed", "You are logged out here, but not everywhere", "It could not be completed that this site loses access to your account. Please try again in a moment.", "Try again"},
	{ErrCrossOrigin, "cross_origin", "Request refused", "Another site tried to log you out.", "Log out"},
	{tokensource.ErrTemporary, "temporarily_unavailable", "Not possible at the moment", "Please try again in a moment.", ""},
	{ErrUnreadable, "unreadable", "Not available", "This site cannot read what it has stored. Whoever runs it must repair that.", ""},
	{tokensource.ErrClient, "misconfigured", "Login is not available", "This site is not set up correctly for the service you log in with.", ""},
	{ErrLoginFailed, "login_failed", "Login failed", "The login could not be completed.", ""},
}

// These wordings depend on what the browser had asked for.
var (
	keptLogin  = wording{nil, "login_not_finished", "Your login is not finished yet", "Something that this site needs does not answer. Please try again in a moment. You do not have to give access again.", "Try again"}
	halfLogout = wording{nil, "logout_failed", "You are logged out in this browser", "This site could not store that yet. Please try again in a moment.", "Try again"}
	askLogin   = wording{nil, "cross_origin", "Log in again?", "Another site led you here. You may be logged in already.", "Log in again"}
	otherLogin = wording{nil, "flow_used", "You are logged in already", "You went back and chose again after this login was finished. To use that account, log in again.", "Log in again"}
)

// about picks the wording for e.
func (e *Error) about() wording {
	if e.connects {
		return e.aboutConnection()
	}
	switch {
	case errors.Is(e.Kind, ErrCrossOrigin) && e.Op == opAuthorize:
		return askLogin
	case errors.Is(e.Kind, ErrFlowUsed) && e.other:
		return otherLogin
	case e.kept:
		return keptLogin
	case errors.Is(e.Kind, ErrLogoutFailed) && e.Op == opLogout:
		return halfLogout
	}
	found := wording{code: "error", title: "Something went wrong", text: "The request could not be answered."}
	if errors.Is(e.Kind, ErrMethod) {
		found = wording{code: "method_not_allowed", title: "Log in", text: "This address is opened as a page.", label: "Log in"}
		switch e.Op {
		case opLogout:
			found = wording{code: "method_not_allowed", title: "Log out?", text: "This ends your session in this browser.", label: "Log out"}
		case opDisconnect:
			found = wording{code: "method_not_allowed", title: "Disconnect?", text: "This ends your sessions in all browsers, and the access of this site to your account.", label: "Disconnect"}
		}
	}
	return e.pick(wordings, found)
}

// pick returns the first wording of a list that is for e, or found.
func (e *Error) pick(list []wording, found wording) wording {
	for _, w := range list {
		if errors.Is(e, w.kind) {
			found = w
			break
		}
	}
	if found.label == "" {
		found.label = "Try again"
	}
	if errors.Is(found.kind, ErrFlowNotFound) && e.Cause != "" {
		found.text = "It cannot be finished: " + e.Cause + "."
	}
	return found
}

// retryAfter is the Retry-After header for a temporary failure, in seconds.
func retryAfter(err error) string {
	wait := 5 * time.Second
	if e, ok := errors.AsType[*tokensource.Error](err); ok && e.RetryAfter > 0 {
		wait = min(e.RetryAfter, time.Hour)
	}
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

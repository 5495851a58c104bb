package middleware

import (
	"errors"
	"strings"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/tokensource"
)

// connectWordings are what is said instead where accounts are connected to
// users that the app has.
var connectWordings = []wording{
	{connecting.ErrNoAccount, "no_account", "Log in first", "Nobody is logged in here, in this browser.", "Try again"},
	{connecting.ErrChanged, "account_changed", "Not connected", "Somebody else was logged in here when this began. Nothing was connected. To connect the account for yourself, begin again.", "Begin again"},
	{connecting.ErrElsewhere, "connected_elsewhere", "Not connected", "This account is connected to another user here. It has to be disconnected there first.", "Use another account"},
	{connecting.ErrTooMany, "too_many_connections", "Not connected", "You have too many connected accounts. Disconnect one first.", ""},
	{connecting.ErrNotListed, "no_connection", "No such connection", "It is disconnected already, or it is not yours.", ""},
	{ErrAccessDenied, "access_denied", "Not connected", "You chose not to give access. Nothing was changed.", "Connect after all"},
	{ErrProvider, "provider_error", "Not connected", "The service reported an error.", ""},
	{ErrFlowNotFound, "flow_not_found", "This is no longer valid", "It cannot be finished.", ""},
	{ErrFlowUsed, "flow_used", "This was used already", "The page was loaded twice.", "Continue"},
	{ErrIssuerMismatch, "issuer_mismatch", "Not connected", "The answer did not come from the service that was asked. For your safety it was ignored.", ""},
	{ErrBadCallback, "bad_callback", "Not connected", "The answer of the service could not be read.", ""},
	{ErrForged, "forged", "Not connected", "This address is not the answer to a request of yours.", ""},
	{ErrReturnPath, "bad_return_path", "This link is not valid", "It would lead away from this site afterwards.", "Connect"},
	{ErrNotNavigation, "not_a_navigation", "Open this page yourself", "An account is connected when you open its page, not in the background.", "Connect"},
	{ErrRefused, "refused", "Not connected", "This account cannot be connected.", "Use another account"},
	{ErrLogoutFailed, "disconnect_failed", "Not everything is disconnected", "The service has not confirmed yet that this site has no access to your account. Please try again in a moment.", "Try again"},
	{tokensource.ErrTemporary, "temporarily_unavailable", "Not possible at the moment", "Please try again in a moment.", ""},
	{ErrUnreadable, "unreadable", "Not available", "This site cannot read what it has stored. Whoever runs it must repair that.", ""},
	{tokensource.ErrClient, "misconfigured", "Not available", "This site is not set up correctly for the service.", ""},
	{ErrLoginFailed, "login_failed", "Not connected", "The account could not be connected.", ""},
}

// aboutConnection picks the wording for e where accounts are connected.
func (e *Error) aboutConnection() wording {
	switch {
	case errors.Is(e.Kind, ErrCrossOrigin) && e.Op == opAuthorize:
		return wording{nil, "cross_origin", "Connect an account?", "Another site led you here.", "Connect"}
	case e.Op == opDisconnect && errors.Is(e.Kind, ErrCrossOrigin):
		return wording{nil, "cross_origin", "Request refused", "Another site tried to disconnect an account.", "Disconnect"}
	case e.Op == opDisconnect && errors.Is(e.Kind, ErrMethod):
		return wording{nil, "method_not_allowed", "Disconnect?", "This ends the access of this site to the account.", "Disconnect"}
	case errors.Is(e.Kind, ErrMethod):
		return wording{nil, "method_not_allowed", "Connect an account", "This address is opened as a page.", "Connect"}
	case e.kept:
		return wording{nil, "not_finished", "Not finished yet", keptLogin.text, keptLogin.label}
	}
	found := e.pick(connectWordings, wording{code: "error", title: "Something went wrong", text: "The request could not be answered."})
	found.text = strings.Replace(found.text, "finished: the login ", "finished: it ", 1)
	return found
}

package oauth

import "strings"

// wellKnown are the error codes of the RFCs and of OpenID Connect. They contain
// no secret, whatever the secret is: so they are shown as they are.
var wellKnown = set(
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"server_error", "temporarily_unavailable", "access_denied", "unsupported_response_type", "invalid_token",
	"insufficient_scope", "unsupported_token_type", "invalid_target", "invalid_dpop_proof", "use_dpop_nonce",
	"authorization_pending", "slow_down", "expired_token",
	"interaction_required", "login_required", "account_selection_required", "consent_required",
)

// needUser are codes with which a server refuses a grant because it wants to
// see the user, or because what was sent is not valid any more. They have no
// other reading.
var needUser = set(
	"invalid_grant", "interaction_required", "login_required", "account_selection_required", "consent_required",
	"insufficient_user_authentication", "unmet_authentication_requirements", "mfa_required",
	"token_inactive", "token_expired", "token_revoked", "grant_expired", "grant_revoked",
	"session_expired", "session_revoked", "session_not_found", "session_timeout", "session_timed_out", "idle_timeout",
)

// deadCode are codes for an authorization code that is not valid any more.
var deadCode = set(
	"invalid_code", "bad_verification_code", "code_already_used", "code_expired", "expired_code", "expired_token",
	"invalid_authorization_code",
)

// clientCodes are codes with which a server refuses the client, whichever user
// the request is for.
var clientCodes = set(
	"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target",
	"invalid_dpop_proof", "use_dpop_nonce",
)

// aboutClient reports whether a refusal concerns the client, and not the grant
// of one user (G17). A redirect and a missing page mean that an endpoint is
// wrong.
func aboutClient(status int, code string) bool {
	switch {
	case status >= 300 && status <= 399, status == 404, status == 405, status == 410, status == 415:
		return code == "" || clientCodes[code]
	}
	return clientCodes[code]
}

func set(list ...string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

// endsGrant reports whether a code says, by itself, that the user must
// authorize again.
func endsGrant(op, code string) bool {
	code = strings.ToLower(code)
	switch {
	case needUser[code]:
		return true
	case op == opExchange || op == opDeviceCode:
		return deadCode[code]
	case op == opRefresh:
		return aboutDeadRefreshToken(code)
	}
	return false
}

// aboutDeadRefreshToken reports whether a code names the refresh token and says
// that it is not valid, such as "bad_refresh_token" and
// "refresh_token_not_found".
func aboutDeadRefreshToken(code string) bool {
	rest, ok := cutWord(strings.NewReplacer("-", "_", " ", "_", ".", "_").Replace(code), "refresh_token")
	if !ok {
		return false
	}
	switch rest {
	case "bad", "invalid", "expired", "revoked", "inactive", "unknown", "used", "already_used", "reused", "not_found", "not_valid":
		return true
	}
	return false
}

// cutWord returns what a code says beside a word at one of its ends.
func cutWord(code, word string) (rest string, ok bool) {
	if before, found := strings.CutSuffix(code, "_"+word); found {
		return before, true
	}
	after, found := strings.CutPrefix(code, word+"_")
	return strings.TrimPrefix(after, "is_"), found
}

// passes reports whether a code says that the server cannot answer now.
func passes(code string) bool {
	code = strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(code))
	for _, part := range []string{
		"ratelimit", "toomany", "limitexceeded", "quotaexceeded", "throttl", "slowdown", "unavailable", "timeout", "timedout", "overload", "overcapacity",
		"tryagain", "maintenance", "servererror", "internalerror", "servicebusy", "serverbusy", "fatalerror",
	} {
		if strings.Contains(code, part) {
			return true
		}
	}
	return false
}

// gone reports whether a code says that a token which is to be revoked is not
// valid any more (G20).
func gone(code string) bool {
	switch strings.ToLower(code) {
	case "invalid_token", "unknown_token", "token_not_found", "already_revoked", "token_already_revoked", "expired_token":
		return true
	}
	return endsGrant(opRefresh, code)
}

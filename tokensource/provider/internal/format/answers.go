package format

import "encoding/json"

// Token is how a token request and its answer differ from the RFC.
type Token struct {
	// Params are parameters of every token request.
	Params map[string]string `json:"params,omitempty"`

	// Headers are headers of every token request.
	Headers map[string]string `json:"headers,omitempty"`

	// JSON sends the parameters as a JSON object, and not as a form.
	JSON bool `json:"json,omitempty"`

	// Object is the path of the object with the tokens, such as "authed_user".
	Object string `json:"object,omitempty"`

	// Keep are members that are stored with the grant, as paths such as
	// "team.id".
	Keep []string `json:"keep,omitempty"`

	// ExpiresIn is the lifetime of an access token if the answer has none.
	ExpiresIn string `json:"expires_in,omitempty" form:"duration"`

	// ExpiryMember is the member with the time at which the token expires, for a
	// server without expires_in, and ExpiryForm how it is written: "rfc3339",
	// "unix" or "jwt" (the claim exp of the token in that member).
	ExpiryMember string `json:"expiry_member,omitempty"`
	ExpiryForm   string `json:"expiry_form,omitempty" enum:"rfc3339 unix jwt"`

	// RefreshExpiryMember is the member with the seconds for which the refresh
	// token lives.
	RefreshExpiryMember string `json:"refresh_expiry_member,omitempty"`

	// Sample is an answer as the server words it, for fakes. "{access_token}",
	// "{refresh_token}", "{expires_in}", "{expires_at}", "{scope}" and "{user}"
	// stand for values. A member with one of the first two whose token does not
	// exist is left out.
	Sample json.RawMessage `json:"sample,omitempty"`
}

// Refresh is what becomes of refresh tokens. Nothing here means that nobody
// knows. Then a refresh token counts as good for one use.
type Refresh struct {
	// None says that the server issues no refresh tokens.
	None bool `json:"none,omitempty"`

	// Reusable says that a refresh token stays good when it is used.
	Reusable bool `json:"reusable,omitempty"`

	// Grace is how long a refresh token that was used is still answered.
	Grace string `json:"grace,omitempty" form:"duration"`

	// ReuseSparesGrant says that a second use is refused and ends nothing else.
	ReuseSparesGrant bool `json:"reuse_spares_grant,omitempty"`

	// EndsAccess says that a refresh ends the access token before it.
	EndsAccess bool `json:"ends_access,omitempty"`

	// AbsentIsLost says that an answer to a refresh which has no refresh token
	// means that another request got the new one. The old one must not be used
	// again then. Otherwise the old one stays in force.
	AbsentIsLost bool `json:"absent_is_lost,omitempty"`

	// Idle is the time after which an unused refresh token dies, and Lifetime
	// the time after which it dies in any case, counted from the login.
	Idle     string `json:"idle,omitempty" form:"duration"`
	Lifetime string `json:"lifetime,omitempty" form:"duration"`
}

// trade is how an access token is itself traded for the next one.
type trade struct {
	// From is the age from which a token can be traded. It must not have expired.
	From string `json:"from,omitempty" form:"duration"`

	// First is for the token of a login, which lives for hours. If it is missing,
	// Next is for all tokens.
	First tradeRequest `json:"first,omitzero"`

	// Next is for a token that came from a trade.
	Next tradeRequest `json:"next,omitzero"`
}

// tradeRequest is the request of a trade.
type tradeRequest struct {
	// URL is where it goes.
	URL string `json:"url"`

	// Method is GET, with the parameters in the query, or POST. Empty means POST.
	Method string `json:"method,omitempty" enum:"GET POST"`

	// Params are fixed parameters, grant_type among them.
	Params map[string]string `json:"params,omitempty"`

	// TokenParam is the name of the parameter with the access token.
	TokenParam string `json:"token_param"`

	// Auth is how the client authenticates: "secret" (the client secret alone, as
	// a parameter) or "none". Empty means as at the token endpoint.
	Auth string `json:"auth,omitempty" enum:"secret none"`
}

// Refusal is an answer that reports a failure in words of its own.
type Refusal struct {
	// Ops are what was asked: "exchange", "refresh", "client_credentials",
	// "revoke" or "identity". Empty means the first two.
	Ops []string `json:"ops,omitempty" enum:"exchange refresh client_credentials revoke identity"`

	// Status is the status. It can be 200. Zero means any but 429 and 5xx.
	Status int `json:"status,omitempty"`

	// Where are members of the answer, as paths, and their values. All must be
	// there. A value that ends with * matches what begins like it.
	Where map[string]string `json:"where,omitempty"`

	// Fixer is who can fix it: "user" (authorize again), "time" (try later) or
	// "operator" (correct the deployment).
	Fixer string `json:"fixer" enum:"user time operator"`

	// CodeAt is the path of the error code, and Hint says what to do.
	CodeAt string `json:"code_at,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// Identity is how a client learns who the user is.
type Identity struct {
	// InToken says that the token answer names the user: the paths are paths of
	// that answer. If it lacks the subject, URL is asked.
	InToken bool `json:"in_token,omitempty"`

	// URL is asked with the token. Method, Headers and Body describe the
	// request. An empty Method means GET.
	URL     string            `json:"url,omitempty"`
	Method  string            `json:"method,omitempty" enum:"GET POST"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`

	// Scopes are the scopes that the request needs.
	Scopes []string `json:"scopes,omitempty"`

	// Subject are the paths of what identifies the user. Several are joined
	// with a slash.
	Subject []string `json:"subject,omitempty"`

	// Username, Name and Picture are paths of what is shown to people, and
	// Claims paths of further facts by the name of the claim.
	Username string            `json:"username,omitempty"`
	Name     string            `json:"name,omitempty"`
	Picture  string            `json:"picture,omitempty"`
	Claims   map[string]string `json:"claims,omitempty"`
}

// API is how the resource servers are called, and how they answer.
type API struct {
	// Origins are where tokens may go.
	Origins []string `json:"origins,omitempty"`

	// GrantOrigins are origins that come with a grant: the hosts that are
	// accepted, by the member that names the origin. The member must be one of
	// Token.Keep or Callback.Keep. A host that begins with "*." stands for its
	// subdomains.
	GrantOrigins map[string][]string `json:"grant_origins,omitempty"`

	// Headers are headers that every request needs. "{client_id}" stands for the
	// client ID.
	Headers map[string]string `json:"headers,omitempty"`

	// TokenHeader is the header with the token, and TokenScheme what stands
	// before the token. Empty means Authorization and Bearer. With a
	// TokenHeader, an empty scheme means none.
	TokenHeader string `json:"token_header,omitempty"`
	TokenScheme string `json:"token_scheme,omitempty"`

	// Rejected are the statuses that reject a token. Empty means 401.
	Rejected []int `json:"rejected,omitempty"`

	// Answers are answers whose status does not tell whether the token was
	// rejected. The first one that matches counts.
	Answers []APIAnswer `json:"answers,omitempty"`

	// LimitStatuses are statuses of a rate limit beside 429.
	LimitStatuses []int `json:"limit_statuses,omitempty"`

	// Limits are the headers of rate limits.
	Limits []Limit `json:"limits,omitempty"`
}

// APIAnswer is an answer of an API.
type APIAnswer struct {
	// Status is the status of the answer.
	Status int `json:"status"`

	// Where are members of the answer, as paths, and their values. All must be
	// there. A value that ends with * matches what begins like it.
	Where map[string]string `json:"where"`

	// Rejected says whether such an answer rejects the token. Otherwise another
	// token would not help.
	Rejected bool `json:"rejected,omitempty"`
}

// Limit names the headers of one rate limit.
type Limit struct {
	Limit     string `json:"limit,omitempty"`
	Remaining string `json:"remaining,omitempty"`
	Reset     string `json:"reset"`

	// After says that Reset is a number of seconds from now. Otherwise it is a
	// time.
	After bool `json:"after,omitempty"`
}

// Revocation is how a token is revoked, and what ends with it.
type Revocation struct {
	// Method is the method of the request. Empty means POST.
	Method string `json:"method,omitempty" enum:"POST GET DELETE"`

	// Auth is how the request is authenticated: "client" (as at the token
	// endpoint), "basic", "id" (the client ID only), "none" or "token" (the
	// token that is revoked, as a Bearer token). Empty means "client".
	Auth string `json:"auth,omitempty" enum:"client basic id none token"`

	// TokenParam is the name of the parameter with the token. Empty means token.
	TokenParam string `json:"token_param,omitempty"`

	// Params are further parameters.
	Params map[string]string `json:"params,omitempty"`

	// JSON sends the parameters as a JSON object.
	JSON bool `json:"json,omitempty"`

	// NoHint leaves out token_type_hint.
	NoHint bool `json:"no_hint,omitempty"`

	// Only is the one kind of token that can be revoked: "access_token" or
	// "refresh_token".
	Only string `json:"only,omitempty" enum:"access_token refresh_token"`

	// EndsAll says that a revocation ends all grants of the user.
	EndsAll bool `json:"ends_all,omitempty"`
}

// Grants says how many grants one user can have.
type Grants struct {
	// Single says that a new login ends the tokens of the one before.
	Single bool `json:"single,omitempty"`

	// Live is how many grants of one user and client live at once. Zero means
	// that nobody knows a limit.
	Live int `json:"live,omitempty"`
}

// Code names functions of package provider.
type Code struct {
	// Classify judges answers, see provider.Provider.
	Classify string `json:"classify,omitempty"`

	// ParseIdentity reads the answer of the identity endpoint.
	ParseIdentity string `json:"parse_identity,omitempty"`

	// CheckClient checks a registration.
	CheckClient string `json:"check_client,omitempty"`
}

// Source is where facts were read.
type Source struct {
	// For are the groups whose facts were read here, such as "endpoints".
	For []string `json:"for"`

	// Kind is "doc" (a page of the vendor, or the vendor's own repository),
	// "doc-copy" (text of the vendor, copied by others) or "code" (a well-known
	// open client, or the server itself).
	Kind string `json:"kind" enum:"doc doc-copy code"`

	// Ref is the address, or repository and path.
	Ref string `json:"ref"`

	// Date is the date of what was read, if it has one.
	Date string `json:"date,omitempty"`
}

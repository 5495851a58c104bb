package provider

import (
	"net/http"
	"strings"
)

// xProblems says what to do about a refusal, by the last part of the type of
// X's problem body (RFC 9457), or by its reason where there is one. None of
// them is fixed by another token. The host of the type has changed over time,
// so only its path counts.
var xProblems = map[string]string{
	"credits-depleted":           "the app's developer account has no credits left: add credits at https://console.x.com",
	"credits":                    "the app's developer account has no credits left: add credits at https://console.x.com",
	"spend-cap-reached":          "the app's developer account has reached its monthly spend cap: raise the cap at https://console.x.com, or wait for the next month",
	"usage-capped":               "the app's plan is used up for this period: upgrade it at https://console.x.com, or wait for the next period",
	"client-not-enrolled":        "the app is in no package that allows this call: move it to Pay-per-use and to the Production environment at https://console.x.com",
	"user-not-enrolled":          "the developer account of the app is not enrolled: choose Pay-per-use for it, and Production for the app, at https://console.x.com",
	"client-forbidden":           "the app has no access to this call: look at its package and environment at https://console.x.com",
	"unsupported-authentication": "this call needs the token of a user, and got the app's own token or one of OAuth 1.0a",
	"oauth1-permissions":         "the app's permissions do not allow this call: change them at https://console.x.com, and let the user log in again",
}

// xProblem recognises the answers in which X refuses an app, and not a user or
// a token.
func xProblem(a Answer) Verdict {
	if _, name, found := strings.Cut(a.Member("type"), "/problems/"); found {
		for _, code := range []string{a.Member("reason"), name} {
			if hint := xProblems[code]; hint != "" {
				return Verdict{Fixer: OperatorFixes, Code: code, Hint: hint}
			}
		}
	}
	switch {
	case a.Status == http.StatusPaymentRequired:
		return Verdict{Fixer: OperatorFixes, Code: "credits-depleted", Hint: xProblems["credits-depleted"]}
	case a.Op == "identity" && a.Status == http.StatusForbidden:
		return Verdict{Fixer: OperatorFixes, Hint: "the token lacks a scope: GET /2/users/me needs users.read and tweet.read"}
	}
	return Verdict{}
}

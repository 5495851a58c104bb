package xapi_test

import (
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestGoldenBodies has every error body that X is known to send, written
// out, with its status and content type.
func TestGoldenBodies(t *testing.T) {
	const (
		jsonType    = "application/json; charset=utf-8"
		problemType = "application/problem+json"
		invalid     = `{"error":"invalid_request","error_description":"`
		capped      = xapi.Style(-1)
	)
	post := func(form ...string) func(*testing.T, *xapi.Server) answered {
		return func(t *testing.T, s *xapi.Server) answered {
			return do(t, s, formRequest(t, tokenURL, ci, values(form...)))
		}
	}
	exchange := func(field, value string) func(*testing.T, *xapi.Server) answered {
		return func(t *testing.T, s *xapi.Server) answered {
			form := exchangeForm(callback(t, s, authorizeQuery(ci)).Get("code"))
			form.Set(field, value)
			return do(t, s, formRequest(t, tokenURL, ci, form))
		}
	}
	me := func(change func(*xapi.Knobs), scopes ...string) func(*testing.T, *xapi.Server) answered {
		return func(t *testing.T, s *xapi.Server) answered {
			token := issue(t, s, ci, scopes...).Access
			s.Set(change)
			return call(t, s, http.MethodGet, meURL, token, "")
		}
	}
	appOnly := func(t *testing.T, s *xapi.Server) string {
		keys := apiKeys(ci)
		return parseTokens(t, do(t, s, formRequest(t, appTokenURL, keys, values("grant_type", "client_credentials")))).Access
	}
	limited := func(style xapi.Style) func(*testing.T, *xapi.Server) answered {
		return func(t *testing.T, s *xapi.Server) answered {
			s.Set(func(k *xapi.Knobs) { k.API.Limit, k.API.LimitStyle, k.API.UsageCap = 1, style, style == capped })
			me(func(*xapi.Knobs) {})(t, s)
			return me(func(*xapi.Knobs) {})(t, s)
		}
	}
	none := func(*xapi.Knobs) {}
	tests := []struct {
		name   string
		send   func(*testing.T, *xapi.Server) answered
		status int
		kind   string
		body   string
	}{
		{"client authentication", func(t *testing.T, s *xapi.Server) answered {
			return do(t, s, formRequest(t, tokenURL, oauthtest.App{}, values("client_id", ci.ClientID)))
		}, 401, jsonType, `{"error":"unauthorized_client","error_description":"Missing valid authorization header"}`},
		{"unknown client", func(t *testing.T, s *xapi.Server) answered {
			return do(t, s, formRequest(t, tokenURL, oauthtest.App{ClientID: "x"}, values()))
		}, 401, jsonType, `{"error":"invalid_client"}`},
		{"code", exchange("code", "x"), 400, jsonType, invalid + `Value passed for the authorization code was invalid."}`},
		{"redirect", exchange("redirect_uri", "x"), 400, jsonType, invalid + `Value passed for the redirect uri did not match the uri of the authorization code."}`},
		{"verifier", exchange("code_verifier", "x"), 400, jsonType, invalid + `Value passed for the code verifier did not match the code challenge."}`},
		{"missing verifier", exchange("code_verifier", ""), 400, jsonType, invalid + `Missing required parameter [code_verifier]."}`},
		{"grant type", post("grant_type", "client_credentials"), 400, jsonType, invalid + `Value passed for the grant type was invalid. Grant type should be one of [authorization_code, refresh_token]."}`},
		{"refresh token", post("grant_type", "refresh_token", "refresh_token", "x"), 400, jsonType, invalid + `Value passed for the token was invalid."}`},
		{"app-only", func(t *testing.T, s *xapi.Server) answered {
			return do(t, s, formRequest(t, appTokenURL, ci, values("grant_type", "client_credentials")))
		}, 403, jsonType, `{"errors":[{"code":99,"label":"authenticity_token_error","message":"Unable to verify your credentials"}]}`},
		{"token_type_hint", func(t *testing.T, s *xapi.Server) answered { return revoke(t, s, ci, "x", "") },
			400, jsonType, invalid + `Missing required parameter [token_type_hint]."}`},
		{"401", func(t *testing.T, s *xapi.Server) answered { return call(t, s, "GET", meURL, "x", "") },
			401, problemType, `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`},
		{"401 v1", func(t *testing.T, s *xapi.Server) answered {
			s.Set(func(k *xapi.Knobs) { k.API.ErrorStyle = xapi.StyleV1 })
			return call(t, s, "GET", meURL, "x", "")
		}, 401, jsonType, `{"errors":[{"code":89,"message":"Invalid or expired token"}]}`},
		{"scope", me(none, "users.read"), 403, problemType, `{"title":"Forbidden","type":"about:blank","status":403,"detail":"Forbidden"}`},
		{"app-only token", func(t *testing.T, s *xapi.Server) answered {
			return call(t, s, "GET", meURL, appOnly(t, s), "")
		}, 403, problemType, `{"title":"Unsupported Authentication","detail":"Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context].","type":"https://api.x.com/2/problems/unsupported-authentication","status":403}`},
		{"enrolment", me(func(k *xapi.Knobs) { k.API.NotEnrolled = true }), 403, problemType, `{"client_id":"` + ci.ClientID + `","detail":"When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App that is attached to a Project. You can create a project via the developer portal.","registration_url":"https://developer.twitter.com/en/docs/projects/overview","title":"Client Forbidden","required_enrollment":"Appropriate Level of API Access","reason":"client-not-enrolled","type":"https://api.twitter.com/2/problems/client-forbidden"}`},
		{"enrolment, 2026", me(func(k *xapi.Knobs) { k.API.UserNotEnrolled = true }), 403, problemType, `{"client_id":"` + ci.ClientID + `","detail":"When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App that is attached to a Project. You can create a project via the developer portal.","registration_url":"https://console.x.com","title":"Client Forbidden","required_enrollment":"Appropriate Level of API Access","reason":"user-not-enrolled","type":"https://api.x.com/2/problems/client-forbidden"}`},
		{"credits", me(func(k *xapi.Knobs) { k.API.NoCredits = true }), 402, problemType, `{"detail":"credits depleted","status":402,"title":"Payment Required","type":"https://api.x.com/2/problems/credits-depleted"}`},
		{"spend cap", me(func(k *xapi.Knobs) { k.API.SpendCap = true }), 403, problemType, `{"title":"Forbidden","detail":"Your monthly spend cap has been reached.","type":"https://api.x.com/2/problems/spend-cap-reached"}`},
		{"429", limited(0), 429, problemType, `{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}`},
		{"429 v1", limited(xapi.StyleV1), 429, jsonType, `{"errors":[{"code":88,"message":"Rate limit exceeded"}]}`},
		{"429 text", limited(xapi.StyleText), 429, "text/plain; charset=utf-8", `Rate limit exceeded`},
		{"429 usage cap", limited(capped), 429, problemType, `{"account_id":1444444444444444444,"product_name":"pay-per-use","title":"UsageCapExceeded","period":"Monthly","scope":"Product","detail":"Usage cap exceeded: Monthly product cap","type":"https://api.x.com/2/problems/usage-capped"}`},
		{"no such path", func(t *testing.T, s *xapi.Server) answered { return call(t, s, "GET", meURL+"/x", "x", "") },
			404, "", ""},
		{"page at the API", func(t *testing.T, s *xapi.Server) answered {
			return call(t, s, "GET", "https://api.x.com"+xapi.PathAuthorize, "x", "")
		}, 404, "", ""},
		{"method", func(t *testing.T, s *xapi.Server) answered { return call(t, s, "GET", tokenURL, "x", "") },
			405, problemType, `{"title":"Method Not Allowed","type":"about:blank","status":405,"detail":"Method Not Allowed"}`},
		{"post", func(t *testing.T, s *xapi.Server) answered {
			return call(t, s, "POST", tweetsURL, issue(t, s, ci).Access, "{")
		}, 400, problemType, `{"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.x.com/2/problems/invalid-request"}`},
		{"query", func(t *testing.T, s *xapi.Server) answered {
			s.Set(func(k *xapi.Knobs) { k.Token.StrictQuery = true })
			return do(t, s, formRequest(t, tokenURL+"?x=y", ci, values()))
		}, 400, jsonType, invalid + `Parameters must be passed in the request body."}`},
		{"unknown field", func(t *testing.T, s *xapi.Server) answered {
			return call(t, s, "GET", meURL+"?user.fields=verified,followers", issue(t, s, ci).Access, "")
		}, 400, problemType, `{"errors":[{"parameters":{"user.fields":["followers"]},"message":"The ` + "`user.fields`" + ` query parameter value [followers] is not one of [affiliation,confirmed_email,connection_status,created_at,description,entities,id,is_identity_verified,location,most_recent_tweet_id,name,parody,pinned_tweet_id,profile_banner_url,profile_image_url,protected,public_metrics,receives_your_dm,subscription,subscription_type,url,username,verified,verified_followers_count,verified_type,withheld]"}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.x.com/2/problems/invalid-request"}`},
		{"me", me(none), 200, jsonType, `{"data":{"id":"2244994945","name":"X Developers","username":"XDevelopers"}}`},
		{"revoked", func(t *testing.T, s *xapi.Server) answered { return revoke(t, s, ci, "x", "access_token") }, 200, jsonType, `{"revoked":true}`},
	}
	for _, tt := range tests {
		got := tt.send(t, fake(t, nil))
		wantAnswer(t, tt.name, got, tt.status, tt.body)
		if kind := got.header.Get("Content-Type"); kind != tt.kind {
			t.Errorf("%s: Content-Type = %q, want %q", tt.name, kind, tt.kind)
		}
	}
}

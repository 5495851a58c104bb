package xapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestMe(t *testing.T) {
	s := fake(t, nil)
	const basic = `{"data":{"id":"2244994945","name":"X Developers","username":"XDevelopers"`
	tests := []struct {
		scope, query, want string
	}{
		{"", "", basic + `}}`},
		{"", "?user.fields=confirmed_email", basic + `}}`},
		{"users.email", "?user.fields=confirmed_email", basic + `,"confirmed_email":"devs@x.example"}}`},
		{"users.email", "", basic + `}}`},
		{"", "?user.fields=created_at,verified", basic + `,"created_at":"2013-12-14T04:35:55.000Z","verified":false}}`},
		{"", "?user.fields=id,name,username,verified,verified", basic + `,"verified":false}}`},
		{"", "?user.fields=location,withheld", basic + `}}`}, // the user has neither
	}
	for _, tt := range tests {
		token := issue(t, s, ci, "users.read", "tweet.read", tt.scope).Access
		got := call(t, s, http.MethodGet, meURL+tt.query, token, "")
		wantAnswer(t, "me"+tt.query+" with "+tt.scope, got, http.StatusOK, tt.want)
	}
}

// TestEveryUserField asks for all fields that X's documentation lists.
func TestEveryUserField(t *testing.T) {
	fields := strings.Fields("affiliation connection_status created_at description entities id is_identity_verified " +
		"location most_recent_tweet_id name parody pinned_tweet_id profile_banner_url profile_image_url protected " +
		"public_metrics receives_your_dm subscription subscription_type url username verified verified_followers_count " +
		"verified_type withheld")
	user := oauthtest.DefaultUser()
	user.Claims = map[string]any{
		"entities": map[string]any{}, "location": "127.0.0.1", "most_recent_tweet_id": "1", "pinned_tweet_id": "2",
		"profile_banner_url": "https://pbs.twimg.com/banner", "withheld": map[string]any{}, "verified": true, "hidden": "x",
	}
	s := xapi.New(t, &oauthtest.Options{Users: []oauthtest.User{user}})
	got := call(t, s, http.MethodGet, meURL+"?user.fields="+strings.Join(fields, ","), issue(t, s, ci).Access, "")
	var answer struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != http.StatusOK {
		t.Fatalf("GET me = %d %s, %v", got.status, got.body, err)
	}
	if names := slices.Sorted(maps.Keys(answer.Data)); !slices.Equal(names, fields) {
		t.Errorf("fields = %q, want %q", names, fields)
	}
	if answer.Data["location"] != "127.0.0.1" || answer.Data["verified"] != true {
		t.Errorf("GET me = %s, want the user's own claims", got.body)
	}
}

package xapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// userFields are what user.fields may name.
var userFields = []string{
	"affiliation", "confirmed_email", "connection_status", "created_at", "description", "entities", "id",
	"is_identity_verified", "location", "most_recent_tweet_id", "name", "parody", "pinned_tweet_id",
	"profile_banner_url", "profile_image_url", "protected", "public_metrics", "receives_your_dm", "subscription",
	"subscription_type", "url", "username", "verified", "verified_followers_count", "verified_type", "withheld",
}

// usualFields are the values of a user whose oauthtest.User.Claims do not name
// them. X leaves out a field that the user does not have.
var usualFields = map[string]any{
	"affiliation":              map[string]any{},
	"connection_status":        []string{},
	"created_at":               "2013-12-14T04:35:55.000Z",
	"description":              "",
	"is_identity_verified":     false,
	"parody":                   false,
	"profile_image_url":        "https://pbs.twimg.com/profile_images/1683501992314798080/xl1POYLw_normal.jpg",
	"protected":                false,
	"public_metrics":           map[string]int{"followers_count": 0, "following_count": 0, "tweet_count": 0, "listed_count": 0, "like_count": 0, "media_count": 0},
	"receives_your_dm":         false,
	"subscription":             map[string]any{"subscribes_to_you": false},
	"subscription_type":        "None",
	"url":                      "",
	"verified":                 false,
	"verified_followers_count": 0,
	"verified_type":            "none",
}

// me says who the user is: ID, name and username, and what user.fields asks
// for.
func (v *visit) me() *oauthtest.Answer {
	user := v.tok.User
	data := object{{"id", user.ID}, {"name", user.Name}, {"username", user.Username}}
	for _, field := range v.askedFields() {
		if !slices.Contains(userFields, field) {
			return unknownField(field)
		}
		if value := v.field(field); value != nil {
			data = data.with(field, value)
		}
	}
	return answer(http.StatusOK, typeJSON, object{{"data", data}}.String())
}

// askedFields returns the names in user.fields, each once.
func (v *visit) askedFields() []string {
	var list []string
	for field := range strings.SplitSeq(v.r.URL.Query().Get("user.fields"), ",") {
		if field = strings.TrimSpace(field); field != "" && !slices.Contains(list, field) {
			list = append(list, field)
		}
	}
	return list
}

// field returns the value of a field, or nil if the user has none or the token
// may not see it.
func (v *visit) field(name string) any {
	user := v.tok.User
	if name == "confirmed_email" {
		if user.Email == "" || !v.has("users.email") {
			return nil
		}
		return user.Email
	}
	if value, ok := user.Claims[name]; ok {
		return value
	}
	return usualFields[name]
}

// unknownField is the refusal of a name that user.fields does not have.
func unknownField(name string) *oauthtest.Answer {
	message := "The `user.fields` query parameter value [" + name + "] is not one of [" + strings.Join(userFields, ",") + "]"
	return problem(http.StatusBadRequest, `{"errors":[{"parameters":{"user.fields":[`+quote(name)+`]},"message":`+quote(message)+`}],`+
		bodyBadPost[1:])
}

package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// claims are the claims of a token by their exact names. Package json would
// take "SUB" for "sub" if it decoded into a struct.
type claims map[string]json.RawMessage

// read are the claims that this package reads by itself.
var read = []string{
	"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "auth_time", "acr", "tid", "sid", "jti", "events",
	"preferred_username", "name", "given_name", "family_name", "picture",
}

// readClaims returns the claims of a token. It refuses a claim that is there
// twice, if it is one of those that are read: other programs may have read the
// other value (RFC 7519 section 4). Chosen are further claims that are read.
func readClaims(payload []byte, chosen []string) (claims, error) {
	var c claims
	if json.Unmarshal(payload, &c) != nil || c == nil {
		return nil, errors.New("its claims are no JSON object")
	}
	object, _ := members.Read(payload)
	for _, name := range slices.Concat(read, chosen) {
		first, _, _ := strings.Cut(name, ".")
		if twice(object, name) || twice(object, first) {
			return nil, fmt.Errorf("it has the claim %.100q twice", name)
		}
	}
	return c, nil
}

func twice(object members.Object, name string) bool {
	_, times := object.Raw(name)
	return times > 1
}

// has reports whether a claim is there with any value but null.
func (c claims) has(name string) bool {
	return len(c[name]) > 0 && string(c[name]) != "null"
}

// text returns a claim that is a text, or an empty one.
func (c claims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// texts returns a claim that is a text, or a list of texts.
func (c claims) texts(name string) []string {
	var list []string
	if json.Unmarshal(c[name], &list) == nil {
		return list
	}
	if s := c.text(name); s != "" {
		return []string{s}
	}
	return nil
}

// time returns a claim that is a number of seconds since 1970 (RFC 7519 section
// 2). It returns false if the claim is none.
func (c claims) time(name string) (time.Time, bool) {
	var seconds float64
	if !c.has(name) || json.Unmarshal(c[name], &seconds) != nil || seconds <= 0 || seconds > math.MaxInt32*100 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// value returns a claim that the app has chosen as text. A name with dots also
// leads into objects.
func (c claims) value(name string) (string, bool) {
	raw := c[name]
	if !c.has(name) {
		first, rest, nested := strings.Cut(name, ".")
		if !nested {
			return "", false
		}
		inner, err := readClaims(c[first], []string{rest})
		if err != nil {
			return "", false
		}
		return inner.value(rest)
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, s != ""
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return "", false
	}
	return compact.String(), true
}

// identity returns who the user is, with the chosen claims (OpenID Connect Core
// section 5.1).
func (c claims) identity(chosen []string) provider.Identity {
	user := provider.Identity{
		Subject: c.text("sub"), Username: c.text("preferred_username"), Name: c.text("name"), Picture: webAddress(c.text("picture")),
	}
	if user.Name == "" {
		user.Name = strings.TrimSpace(c.text("given_name") + " " + c.text("family_name"))
	}
	for _, name := range chosen {
		if value, ok := c.value(name); ok {
			if user.Claims == nil {
				user.Claims = map[string]string{}
			}
			user.Claims[name] = value
		}
	}
	return user
}

// missing returns those of the wanted claims that user does not have.
func missing(user provider.Identity, wanted []string) (names []string) {
	for _, name := range wanted {
		value := user.Claims[name]
		if name == "name" {
			value = user.Name
		}
		if value == "" {
			names = append(names, name)
		}
	}
	return names
}

// webAddress returns raw if a page can show a picture from there.
func webAddress(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return raw
}

// ParseUserInfo returns a function for ParseIdentity of a provider whose
// IdentityURL is a UserInfo endpoint ([OpenID Connect Core] section 5.3). The
// claims are those to keep beside the name and the picture, as in
// [Options.Claims]. None means "email" and "email_verified".
//
// [OpenID Connect Core]: https://openid.net/specs/openid-connect-core-1_0.html
func ParseUserInfo(chosen ...string) func(body []byte) (provider.Identity, error) {
	if len(chosen) == 0 {
		chosen = []string{"email", "email_verified"}
	}
	return func(body []byte) (provider.Identity, error) {
		c, err := readClaims(body, chosen)
		if err != nil || c.text("sub") == "" {
			return provider.Identity{}, errors.New("oidc: the UserInfo answer names no user")
		}
		return c.identity(chosen), nil
	}
}

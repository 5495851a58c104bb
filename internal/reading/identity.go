package reading

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Identity reads the answer of IdentityURL: with ParseIdentity, or at
// IdentityPaths. An identity without a subject is an error.
func Identity(p *provider.Provider, body []byte) (provider.Identity, error) {
	if p.ParseIdentity != nil {
		return p.ParseIdentity(body)
	}
	object, ok := members.Read(body)
	if !ok {
		object = members.List(body)
	}
	id := identity(p, func(path string) string { return members.Text(object.At(path)) })
	if id.Subject == "" {
		return provider.Identity{}, errors.New("provider " + p.Name + ": the answer names no user where IdentityPaths says")
	}
	return id, nil
}

// TokenIdentity returns the user that an answer of the token endpoint names, if
// IdentityInToken says that it does. The argument is the method Extra of the
// token that package oauth made of the answer.
func TokenIdentity(p *provider.Provider, extra func(name string) any) (provider.Identity, bool) {
	if !p.IdentityInToken {
		return provider.Identity{}, false
	}
	id := identity(p, func(path string) string { return text(members.Walk(extra, path)) })
	return id, id.Subject != ""
}

// identity reads the paths. A subject of which one part is missing is none: it
// could be that of another user.
func identity(p *provider.Provider, at func(path string) string) provider.Identity {
	paths := p.IdentityPaths
	read := func(path string) string {
		if path == "" {
			return ""
		}
		return at(path)
	}
	id := provider.Identity{Username: read(paths.Username), Name: read(paths.Name), Picture: read(paths.Picture)}
	parts := make([]string, len(paths.Subject))
	for i, path := range paths.Subject {
		if parts[i] = at(path); parts[i] == "" {
			return provider.Identity{}
		}
	}
	id.Subject = strings.Join(parts, "/")
	for name, path := range paths.Claims {
		if value := at(path); value != "" {
			if id.Claims == nil {
				id.Claims = map[string]string{}
			}
			id.Claims[name] = value
		}
	}
	return id
}

// text returns a member of a token answer as it was written. A number is a
// float64 only if that is exact.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	}
	return ""
}

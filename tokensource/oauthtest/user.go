package oauthtest

import (
	"encoding/json"
	"errors"
	"maps"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// User is an account at the fake.
type User struct {
	ID       string // X's are decimal digits
	Name     string
	Username string // without the @
	Email    string // empty if the user has none

	// Claims are further facts about the user, by the names that the server
	// gives them, such as "picture" or "profile_image_url". A value must be one
	// that JSON can express. The server reads the map and never changes it.
	Claims map[string]any

	// Suspended ends the user's grants, and the user can authorize no app.
	Suspended bool
}

// DefaultUser returns the account in X's own documentation.
func DefaultUser() User {
	return User{ID: "2244994945", Name: "X Developers", Username: "XDevelopers", Email: "devs@x.example"}
}

// AddUser adds an account, or replaces the one that has the same ID. A user
// without an ID or Username is refused.
func (s *Server) AddUser(u User) error {
	if u.ID == "" || u.Username == "" {
		return errors.New("oauthtest: a user needs an ID and a Username")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[u.ID] == nil {
		s.userOrder = append(s.userOrder, u.ID)
	}
	s.users[u.ID] = &u
	if u.Suspended {
		s.endGrants(func(g *grant) bool { return g.user == u.ID }, Withdrawn)
	}
	return nil
}

// userInfo is what a UserInfo endpoint answers (OpenID Connect Core 1.0,
// section 5.3.2).
func userInfo(u User) map[string]any {
	info := map[string]any{"name": u.Name, "preferred_username": u.Username, "email": u.Email}
	maps.DeleteFunc(info, func(_ string, value any) bool { return value == "" })
	maps.Copy(info, u.Claims)
	info["sub"] = u.ID
	return info
}

func parseUserInfo(body []byte) (provider.Identity, error) {
	var info struct {
		Sub      string `json:"sub"`
		Name     string `json:"name"`
		Username string `json:"preferred_username"`
	}
	if err := json.Unmarshal(body, &info); err != nil || info.Sub == "" {
		return provider.Identity{}, errors.New("oauthtest: the UserInfo answer names no user")
	}
	return provider.Identity{Subject: info.Sub, Username: info.Username, Name: info.Name}, nil
}

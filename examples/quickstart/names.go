package main

import "github.com/authtrip/authtrip/tokensource/provider"

// called puts the names of a user into one line. The session knows them since
// the login.
func called(user provider.Identity) string {
	switch {
	case user.Name == "" && user.Username == "":
		return "user " + user.Subject
	case user.Username == "":
		return user.Name
	case user.Name == "":
		return "@" + user.Username
	}
	return user.Name + " (@" + user.Username + ")"
}

package main

import (
	"sync"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// names keeps what users are called. It is safe for concurrent use.
type names struct {
	mu   sync.Mutex // guards last
	last map[string]string
}

func (n *names) set(user provider.Identity) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last == nil {
		n.last = map[string]string{}
	}
	n.last[user.Subject] = called(user)
}

// of returns what a user is called. A user who logged in before this process
// began has only an ID.
func (n *names) of(subject string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name := n.last[subject]; name != "" {
		return name
	}
	return "user " + subject
}

// called puts the names of a user into one line.
func called(user provider.Identity) string {
	switch {
	case user.Username == "":
		return user.Name
	case user.Name == "":
		return "@" + user.Username
	}
	return user.Name + " (@" + user.Username + ")"
}

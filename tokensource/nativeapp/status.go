package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Status says who is logged in. It holds no token.
type Status struct {
	// Account is the name of the account that the App is for, and User is whom the
	// server named at the login. They are empty if nobody is logged in, and if the
	// token comes from the environment.
	Account string
	User    provider.Identity

	// Grant are the facts of the grant: Authorized is when the user logged in,
	// Expiry when the access token expires, which is then refreshed, and Dead is
	// why the user must log in again, or empty.
	Grant grant.Grant

	// Accounts are the names of all accounts, in order, and Default is the name of
	// the default one.
	Accounts []string
	Default  string

	// Variable is the environment variable that supplies the token, or empty.
	Variable string

	// Dir is the folder with the logins, and Key says where the key is that seals
	// them. They are empty if the App was not made by Open.
	Dir, Key string
}

// Status says who is logged in, as the store has it. It makes no request. If
// nobody is logged in, Account is empty and the error is nil. The error matches
// [ErrAccount] if it is not clear which account is meant. The rest of the
// Status is complete then.
func (a *App) Status(ctx context.Context) (Status, error) {
	s := Status{Variable: a.variable}
	if a.folder != nil {
		s.Dir, s.Key = a.folder.Dir(), a.folder.Key()
	}
	if a.variable != "" {
		return s, nil
	}
	l, _, _, err := a.read(ctx)
	if err != nil {
		return s, err
	}
	s.Accounts, s.Default = l.names(), l.Default
	one, err := l.choose(a.options.Account)
	if one == nil || err != nil {
		return s, err
	}
	g, err := a.grants.Grant(ctx, one.User.Subject)
	switch {
	case errors.Is(err, tokensource.ErrNoGrant), err == nil && !g.LoggedOut.IsZero():
		if a.options.Subject != "" {
			s.Accounts = nil
		}
		return s, nil // otherwise the login or the logout was interrupted
	case err != nil:
		return s, err
	}
	s.Account, s.User, s.Grant = one.Name, one.User, g
	if s.Default == "" {
		s.Default = one.Name
	}
	return s, nil
}

// String returns some lines for the user, which can be shown on a terminal.
func (s Status) String() string {
	var b strings.Builder
	switch {
	case s.Variable != "":
		fmt.Fprintf(&b, "The access token in the variable %s is used as it is. No login is used.\n", s.Variable)
	case s.Account == "":
		b.WriteString("Nobody is logged in.\n")
	default:
		s.user(&b)
	}
	others := slices.DeleteFunc(slices.Clone(s.Accounts), func(name string) bool { return name == s.Account })
	if len(others) > 0 {
		fmt.Fprintf(&b, "Other accounts: %s.\n", cleanName(strings.Join(others, ", ")))
	}
	if len(others) > 0 && s.Default != "" {
		fmt.Fprintf(&b, "The default account is %s.\n", cleanName(s.Default))
	}
	if s.Key != "" {
		fmt.Fprintf(&b, "The logins are in %s, sealed. The key is %s.\n", s.Dir, s.Key)
	}
	return b.String()
}

// user writes who is logged in.
func (s Status) user(b *strings.Builder) {
	state := "Logged in"
	if s.Grant.Dead != "" {
		state = "Log in again (" + string(s.Grant.Dead) + ")"
	}
	fmt.Fprintf(b, "%s: %s", state, cleanName(s.Account))
	if id := cleanName(s.User.Subject); id != cleanName(s.Account) {
		fmt.Fprintf(b, " (user %s)", id)
	}
	fmt.Fprintf(b, ", since %s.\n", moment(s.Grant.Authorized))
	switch {
	case s.Grant.Dead != "":
	case s.Grant.Expiry.IsZero():
		b.WriteString("The server has not said when the access token expires.\n")
	case s.Grant.Refreshable:
		fmt.Fprintf(b, "The access token expires %s, and is then renewed.\n", moment(s.Grant.Expiry))
	default:
		fmt.Fprintf(b, "The access token expires %s. There is no refresh token: log in again then.\n", moment(s.Grant.Expiry))
	}
}

func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

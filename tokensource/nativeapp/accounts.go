package nativeapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/authtrip/authtrip/internal/stored"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// account is a user who has logged in.
type account struct {
	Name string            `json:"name"`
	User provider.Identity `json:"user"`

	// Ended says that the user has logged out, and that the server has not
	// confirmed it. The logout is repeated, and the account is not used.
	Ended bool `json:"ended,omitempty"`

	// Leaving names the login that failed and is about to remove the account,
	// which it has added.
	Leaving string `json:"leaving,omitempty"`
}

// accounts is the record of all accounts of a program at one server.
type accounts struct {
	Version int       `json:"version"`
	Default string    `json:"default,omitempty"` // the name of an account, or empty
	List    []account `json:"accounts,omitempty"`
}

const (
	accountsPrefix  = "nativeapp.accounts."
	accountsVersion = 1
	maxAccounts     = 1000
	maxName         = 256 // bytes of a name
	maxFact         = 4 << 10
)

// cleanName returns a name that can be shown on a terminal and entered there.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	for len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	return strings.TrimSpace(s)
}

// named returns the account with a name, or with that subject, or nil.
func (l *accounts) named(name string) *account {
	if i := slices.IndexFunc(l.List, func(a account) bool { return a.Name == name }); i >= 0 {
		return &l.List[i]
	}
	return l.of(name)
}

// of returns the account of a subject, or nil.
func (l *accounts) of(subject string) *account {
	if i := slices.IndexFunc(l.List, func(a account) bool { return a.User.Subject == subject }); i >= 0 {
		return &l.List[i]
	}
	return nil
}

// names returns the names of the accounts that can be used.
func (l *accounts) names() (list []string) {
	for _, a := range l.List {
		if !a.Ended {
			list = append(list, a.Name)
		}
	}
	slices.Sort(list)
	return list
}

// choose returns the account with a name, and with an empty name the default.
// It is nil, without an error, if there is no account at all.
func (l *accounts) choose(name string) (*account, error) {
	names := l.names()
	if name == "" && l.named(l.Default) == nil && len(names) == 1 {
		name = names[0]
	}
	if name == "" {
		name = l.Default
	}
	if a := l.named(name); a != nil && !a.Ended {
		return a, nil
	}
	switch {
	case name != "":
		return nil, fmt.Errorf("%w: %q is not logged in: %w", ErrAccount, name, tokensource.ErrNoGrant)
	case len(names) == 0:
		return nil, nil //nolint:nilnil // as the comment says
	}
	return nil, fmt.Errorf("%w: %s are logged in, and none of them is the default", ErrAccount, strings.Join(names, ", "))
}

// add adds a user, under a name if that is not empty. A name that another user
// has goes to the new one, and the other user stays under another name.
func (l *accounts) add(user provider.Identity, name string) error {
	a := l.of(user.Subject)
	if a == nil {
		if len(l.List) >= maxAccounts {
			return errors.New("nativeapp: there are too many accounts: log some of them out")
		}
		l.List = append(l.List, account{})
		a = &l.List[len(l.List)-1]
	}
	before := a.Name
	*a = account{User: bounded(user), Name: before}
	switch {
	case name != "":
		l.rename(a, name)
	case before == "":
		l.rename(a, l.free(user))
	}
	if l.Default == "" || l.Default == before && before != "" || l.named(l.Default) == nil {
		l.Default = a.Name
	}
	return nil
}

// rename gives an account a name.
func (l *accounts) rename(a *account, name string) {
	for i := range l.List {
		other := &l.List[i]
		if other.Name != name || other.User.Subject == a.User.Subject {
			continue
		}
		other.Name = ""
		a.Name = name
		other.Name = l.free(other.User)
		if l.Default == name {
			l.Default = other.Name // the default stays the same user
		}
	}
	a.Name = name
}

// free returns a name for a user that no account has. If another account has
// the subject of the user as its name, a number follows the subject.
func (l *accounts) free(user provider.Identity) string {
	names := []string{cleanName(user.Username), cleanName(user.Name), user.Subject}
	for n := 2; ; n++ {
		for _, name := range names {
			taken := func(a account) bool { return a.Name == name || a.User.Subject == name && name != user.Subject }
			if name != "" && !slices.ContainsFunc(l.List, taken) {
				return name
			}
		}
		names = []string{fmt.Sprintf("%s (%d)", user.Subject, n)}
	}
}

// bounded returns what is kept of a user.
func bounded(user provider.Identity) provider.Identity {
	for _, text := range []*string{&user.Username, &user.Name, &user.Picture} {
		if len(*text) > maxFact {
			*text = ""
		}
	}
	size := 0
	for name, value := range user.Claims {
		size += len(name) + len(value)
	}
	if size > maxFact {
		user.Claims = nil
	}
	user.Claims = maps.Clone(user.Claims)
	return user
}

// remove removes the account of a subject.
func (l *accounts) remove(subject string) {
	a := l.of(subject)
	if a == nil {
		return
	}
	if l.Default == a.Name {
		l.Default = ""
	}
	l.List = slices.DeleteFunc(l.List, func(a account) bool { return a.User.Subject == subject })
}

// end marks the account of a subject as ended.
func (l *accounts) end(subject string) {
	a := l.of(subject)
	if a == nil {
		return
	}
	if l.Default == a.Name {
		l.Default = ""
	}
	a.Ended = true
}

// read reads the record. Without one, there are no accounts.
func (a *App) read(ctx context.Context) (*accounts, string, storage.Version, error) {
	if s := a.options.Subject; s != "" {
		return &accounts{List: []account{{Name: s, User: provider.Identity{Subject: s}}}}, "", 0, nil
	}
	store := a.grants.Store()
	owner := a.client.Provider().Authority() + " " + a.client.ClientID()
	key, err := storage.Name(ctx, store, accountsPrefix, owner)
	if err != nil {
		return nil, "", 0, stored.Failed("store", err)
	}
	rec, err := store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return &accounts{Version: accountsVersion}, key, 0, nil
	}
	if err != nil {
		return nil, "", 0, stored.Failed("store", err)
	}
	l := new(accounts)
	if json.Unmarshal(rec.Value(), l) != nil || l.Version != accountsVersion {
		return nil, "", 0, &tokensource.Error{Op: "load", Err: fmt.Errorf("%w: it is no list of accounts, or one of a newer version", storage.ErrCorrupt)}
	}
	return l, key, rec.Version, nil
}

// change changes the record. Other processes may change it too.
func (a *App) change(ctx context.Context, change func(*accounts) error) error {
	if a.options.Subject != "" {
		return nil // nothing is stored of one account
	}
	for {
		l, key, version, err := a.read(ctx)
		if err != nil {
			return err
		}
		if err := change(l); err != nil {
			return err
		}
		value, err := json.Marshal(l)
		if err != nil {
			return err
		}
		_, err = a.grants.Store().Put(ctx, key, value, version)
		if !errors.Is(err, storage.ErrConflict) {
			return stored.Failed("store", err)
		}
	}
}

// SetDefault makes an account the default: the one that is used if
// Options.Account is empty. The name is one of Status.Accounts. The error
// matches [ErrAccount] if there is no such account.
func (a *App) SetDefault(ctx context.Context, name string) error {
	if err := a.fixed(); err != nil {
		return err
	}
	a.chosen.Store(nil)
	return a.change(ctx, func(l *accounts) error {
		one, err := l.choose(name)
		switch {
		case err != nil:
			return err
		case one == nil || name == "":
			return fmt.Errorf("%w: SetDefault needs the name of an account", ErrAccount)
		}
		l.Default = one.Name
		return nil
	})
}

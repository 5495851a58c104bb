package nativeapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/userstore"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// program is what an App has beside its Keeper if [Open] has made it.
type program struct {
	name     string // of the program
	folder   *userstore.Folder
	keeper   *grant.Keeper             // to be closed
	variable string                    // that supplies the token, or empty
	static   *tokensource.StaticSource // with variable
}

// Open opens the logins of a program. The name is that of the program, as
// userstore.Open has it. The client says which authorization server it is.
//
// The logins are in a sealed store in the folder for the settings of the user.
// Any number of processes of the user may have it open. Each refreshes the
// tokens for all of them. If Options.TokenVariable is set in the environment,
// nothing is opened, and the token in it is used. Nil options mean all
// defaults.
//
// The errors are those of userstore.Open and grant.New. userstore.ErrKeychain
// means that the keychain is locked or cannot be reached. Call [App.Close] at
// the end of the program: it waits for a refresh under way, whose tokens would
// be lost otherwise.
func Open(ctx context.Context, name string, client *oauth.Client, o *Options) (*App, error) {
	if client == nil {
		return nil, errors.New("nativeapp: nil Client: make one with oauth.New")
	}
	if o == nil {
		o = new(Options)
	}
	from := &program{name: name}
	store, err := from.open(ctx, o)
	if err != nil {
		return nil, err
	}
	grants := new(grant.Options)
	if o.Grants != nil {
		*grants = *o.Grants
	}
	from.keeper, err = grant.New(client, store, grants)
	if err != nil {
		return nil, errors.Join(err, from.close())
	}
	a, err := newApp(from.keeper, o, from)
	if err == nil {
		_, err = a.api()
	}
	if err != nil {
		return nil, errors.Join(err, from.close())
	}
	return a, nil
}

// open opens the store. With a token in the environment it is one that is
// empty and ends with the process.
func (f *program) open(ctx context.Context, o *Options) (storage.Store, error) {
	variable := o.variable(f.name)
	if variable != "" && o.Account == "" {
		if token := strings.TrimSpace(os.Getenv(variable)); token != "" {
			static, err := tokensource.Static(token)
			if err != nil {
				return nil, fmt.Errorf("nativeapp: %s: %w", variable, err)
			}
			f.variable, f.static = variable, static
			return storage.NewMemory(), nil
		}
	}
	folder, err := userstore.Open(ctx, f.name, &userstore.Options{Dir: o.Dir, Keys: o.Keys})
	if err != nil {
		return nil, err
	}
	f.folder = folder
	return folder.Store(), nil
}

// variable returns the name of the variable with a token, or an empty text.
func (o *Options) variable(name string) string {
	switch o.TokenVariable {
	case "-":
		return ""
	case "":
		return strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, strings.ToUpper(name)) + "_TOKEN"
	}
	return o.TokenVariable
}

// Keeper returns the Keeper of the grants: for a Source of the user of a
// Status, for New with another account, and for facts about a grant.
func (a *App) Keeper() *grant.Keeper { return a.grants }

// Close waits for work under way and closes what [Open] has opened. It may be
// called more than once. The logins stay.
func (a *App) Close() error { return a.close() }

func (f *program) close() error {
	var err error
	if f.keeper != nil {
		err = f.keeper.Close()
	}
	if f.folder != nil {
		err = errors.Join(err, f.folder.Close())
	}
	return err
}

// title returns the name of the program for a text.
func (a *App) title() string { return cmp.Or(cleanName(a.options.Name), a.name, "the program") }

// fixed refuses to change logins while the environment supplies the token.
func (f *program) fixed() error {
	if f.variable == "" {
		return nil
	}
	return fmt.Errorf("nativeapp: the token comes from the variable %s, and not from a login: unset the variable first", f.variable)
}

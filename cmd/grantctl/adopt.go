package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

const adoptHelp = `
Adopt reads the tokens that another program keeps from stdin, and stores each as a grant of the app. The app must be the one
that the tokens were issued to: -client is the other program's client ID, and ` + secretVariable + ` its secret, if it has one.
Formats:

  oauth2      the JSON of a token of golang.org/x/oauth2: access_token, refresh_token, expiry; or one such object a line
  goth        the JSON of a goth.User, or one a line: what an app has stored of it; the subject is UserID
  rclone      rclone.conf; -remote says which remote, if several have tokens
  gh          hosts.yml of GitHub's gh; a token in the keychain is not in it: gh auth token | grantctl adopt -from token
  kubelogin   a file of the folder of kubelogin's cache; it has no access token, so that a refresh is made at once
  token       an access token as it is, without a refresh token

The subject is the one of -subject, or the one that the format has, or what the server says: then the token is sent to the
identity endpoint once. A grant that exists already is left alone, unless -replace is given.

Stop the other program first: else both spend the same refresh tokens, and log each other out.

Examples:
  grantctl adopt -from oauth2 -provider google -client 1234.apps.googleusercontent.com env:DATABASE_URL <token.json
  grantctl adopt -from rclone -remote drive -provider google -client 1234.apps.googleusercontent.com file:grants <rclone.conf
  grantctl adopt -from kubelogin -provider login.json -client kubernetes file:grants <~/.kube/cache/oidc-login/5af3
`

func adoptCommand() *command {
	return &command{
		name: "adopt", args: []string{"STORE"}, about: "store the tokens that another program keeps", help: adoptHelp,
		setup: func(f *flag.FlagSet) action {
			var a adopter
			f.StringVar(&a.from, "from", "", "the `format`: oauth2, goth, rclone, gh, kubelogin or token")
			f.StringVar(&a.subject, "subject", "", "the `subject` of the only token")
			f.StringVar(&a.remote, "remote", "", "the `remote` of rclone, or the host of gh")
			f.BoolVar(&a.replace, "replace", false, "replace grants that exist; their tokens are revoked, as at a login")
			f.BoolVar(&a.insecure, "insecure-plaintext", false, fmt.Sprintf(insecureHelp, "store"))
			a.app.flags(f)
			a.json = jsonFlag(f, `{"adopted": [SUBJECT, ...], "conflicts": [SUBJECT, ...]}`)
			return func(ctx context.Context, c *console, args []string) error {
				if err := a.check(); err != nil {
					return err
				}
				tokens, err := a.read(c.stdin)
				if err != nil {
					return err
				}
				return with(ctx, args[0], mayCreate, func(v *vault) error { return a.adopt(ctx, c, v, tokens) })
			}
		},
	}
}

// adopter stores tokens of another program.
type adopter struct {
	app                   appFlags
	from, subject, remote string
	replace, insecure     bool
	json                  func() bool

	done adopted
}

// adopted is what -o json prints.
type adopted struct {
	Adopted   []string `json:"adopted"`
	Conflicts []string `json:"conflicts"`
}

// foreign is a token of another program, and the subject if the format has it.
type foreign struct {
	subject string
	token   *oauth2.Token
}

// formats are the readers of what other programs keep. What is selected is the
// remote of rclone, or the host of gh.
func formats() map[string]func(text []byte, selected string) ([]foreign, error) {
	return map[string]func([]byte, string) ([]foreign, error){
		"oauth2": fromOAuth2, "goth": fromGoth, "rclone": fromRclone, "gh": fromGH, "kubelogin": fromKubelogin, "token": fromToken,
	}
}

func (a *adopter) check() error {
	switch {
	case formats()[a.from] == nil:
		return usageError("adopt: -from is oauth2, goth, rclone, gh, kubelogin or token")
	case a.app.provider == "" || a.app.client == "":
		return usageError("adopt: -provider and -client are needed")
	}
	return nil
}

// longestInput is more than any of these files needs.
const longestInput = 16 << 20

// read reads all tokens before the first one is stored.
func (a *adopter) read(in io.Reader) ([]foreign, error) {
	text, err := io.ReadAll(io.LimitReader(in, longestInput+1))
	if err != nil {
		return nil, err
	}
	if len(text) > longestInput {
		return nil, errors.New("the input is longer than 16 MiB")
	}
	tokens, err := formats()[a.from](text, a.remote)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is not what %s keeps: %w", a.from, err)
	case len(tokens) == 0:
		return nil, fmt.Errorf("there is no token in it; see adopt -h, %s", a.from)
	case a.subject != "" && len(tokens) > 1:
		return nil, fmt.Errorf("-subject is for one token, and there are %d", len(tokens))
	}
	for i := range tokens {
		if a.subject != "" {
			tokens[i].subject = a.subject
		}
	}
	return tokens, nil
}

func (a *adopter) adopt(ctx context.Context, c *console, v *vault, tokens []foreign) error {
	if v.keys == nil && !a.insecure {
		return fmt.Errorf("set %s to the app's keys: otherwise the tokens would be readable in the store; -insecure-plaintext takes that", keysVariable)
	}
	a.done = adopted{[]string{}, []string{}}
	k, client, err := a.app.keeper(c, v, "", nil)
	if err != nil {
		return err
	}
	for i, t := range tokens {
		if err = a.one(ctx, k, client, t); err != nil {
			err = fmt.Errorf("token %d of %d: %w", i+1, len(tokens), err)
			break
		}
	}
	return a.finish(c, errors.Join(err, k.Close()))
}

// one stores a token.
func (a *adopter) one(ctx context.Context, k *grant.Keeper, client *oauth.Client, t foreign) error {
	if t.subject != "" {
		if there, err := a.isThere(ctx, k, t.subject); there || err != nil {
			return err
		}
	}
	if t.token.AccessToken == "" {
		return a.redeemed(ctx, k, client, t)
	}
	if t.subject == "" {
		user, err := client.Identity(ctx, t.token)
		if err != nil {
			return fmt.Errorf("the server does not say whose token it is: -subject does: %w", err)
		}
		t.subject = user.Subject
		if there, err := a.isThere(ctx, k, t.subject); there || err != nil {
			return err
		}
	}
	if _, err := k.Save(ctx, t.subject, t.token); err != nil {
		return err
	}
	a.done.Adopted = append(a.done.Adopted, t.subject)
	return nil
}

// redeemed stores what a refresh token is redeemed for: only that shows that it
// works. Whose it is must be known before that. If nobody can tell afterwards,
// the user is logged out of the other program for nothing.
func (a *adopter) redeemed(ctx context.Context, k *grant.Keeper, client *oauth.Client, t foreign) error {
	if t.subject == "" {
		return errors.New("nothing says whose refresh token it is, and the server tells that only of an access token: -subject says it")
	}
	tok, err := client.Refresh(ctx, t.token.RefreshToken)
	if err != nil {
		return err
	}
	if _, err := k.Save(context.WithoutCancel(ctx), t.subject, tok); err != nil {
		return fmt.Errorf("its refresh token was redeemed, and the new one could not be stored: the user must log in again: %w", err)
	}
	a.done.Adopted = append(a.done.Adopted, t.subject)
	return nil
}

// isThere reports whether a grant exists that must not be replaced.
func (a *adopter) isThere(ctx context.Context, k *grant.Keeper, subject string) (bool, error) {
	if a.replace {
		return false, nil
	}
	g, err := k.Grant(ctx, subject)
	if errors.Is(err, tokensource.ErrNoGrant) || err == nil && (g.Dead != "" || !g.LoggedOut.IsZero()) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a.done.Conflicts = append(a.done.Conflicts, subject)
	return true, nil
}

// finish prints what was done. Err is what ended it, if anything did.
func (a *adopter) finish(c *console, err error) error {
	if a.json() {
		err = errors.Join(err, writeJSON(c.stdout, a.done))
	} else {
		for _, subject := range a.done.Adopted {
			fmt.Fprintln(c.stdout, "adopted", printable(subject))
		}
	}
	if n := len(a.done.Conflicts); n > 0 && err == nil {
		names := make([]string, n)
		for i, subject := range a.done.Conflicts {
			names[i] = printable(subject)
		}
		err = fmt.Errorf("%d grants exist and were left alone (-replace replaces them): %s", n, strings.Join(names, ", "))
	}
	return err
}

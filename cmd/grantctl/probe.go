package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/discovery"
)

// secretVariable is the environment variable with the client secret. A flag
// would show it in the list of processes.
const secretVariable = "AUTHTRIP_CLIENT_SECRET"

const probeHelp = `
Probe finds out how an authorization server behaves: use an account that is for tests only. It logs in with the browser on
this machine if the redirect URL is on a loopback address. Otherwise, and with -paste, it prints a page to open in a browser
on any machine, and asks for the address that the browser ends at. It never prints that address again. With -code and -token
the login was made elsewhere, and probe asks for the code or for the tokens.

Before the login it sends a code and refresh tokens that never were one, with the right client secret and with a wrong one, in
each way of authentication: a server may count that. It asks before it redeems a refresh token twice, before it revokes, and
before it logs in once more with a wrong PKCE verifier, because the first two can end the grant, and other grants of the
account too. What it did not establish is unknown, or null in JSON.

` + secretVariable + ` holds the client secret; a public client has none.

Examples:
  grantctl probe -client my-app -redirect http://127.0.0.1:8400/callback https://as.example
  grantctl probe -client my-app -redirect https://app.example/callback -authorization-endpoint https://as.example/authorize \
    -token-endpoint https://as.example/token -api https://api.example/me -file as.json https://as.example
  grantctl probe -client my-app -token https://as.example
`

// probing is the command line of probe.
type probing struct {
	target
	format, file, name string
	yes                bool
	paste, code, given bool
	grace              time.Duration
	in                 io.Reader
}

func probeCommand() *command {
	return &command{
		name: "probe", args: []string{"ISSUER"}, about: "find out how an authorization server behaves", help: probeHelp,
		setup: func(f *flag.FlagSet) action {
			p := &probing{}
			p.flags(f)
			return func(ctx context.Context, c *console, args []string) error {
				p.issuer, p.in = args[0], bufio.NewReader(c.stdin)
				secret := os.Getenv(secretVariable)
				p.secret, p.http = func() string { return secret }, plainClient(c.transport)
				return p.run(ctx, c)
			}
		},
	}
}

func (p *probing) flags(f *flag.FlagSet) {
	f.StringVar(&p.clientID, "client", "", "the client `ID`")
	f.StringVar(&p.redirect, "redirect", "", "a redirect `URL` of the client; on a loopback address, probe listens there")
	f.BoolVar(&p.paste, "paste", false, "do not listen: ask for the address that the browser ends at, as over ssh")
	f.BoolVar(&p.code, "code", false, "the login was made elsewhere: ask for its code, and for its PKCE verifier")
	f.BoolVar(&p.given, "token", false, "the login was made elsewhere: ask for its tokens")
	f.StringVar(&p.scope, "scope", "", "the `scopes` to ask for, with spaces between them")
	f.StringVar(&p.authorize, "authorization-endpoint", "", "its `URL`, if the server publishes no metadata")
	f.StringVar(&p.token, "token-endpoint", "", "its `URL`, if the server publishes no metadata")
	f.StringVar(&p.revoke, "revocation-endpoint", "", "its `URL` (RFC 7009), if the metadata have none")
	f.StringVar(&p.api, "api", "", "a `URL` that a GET with the token can read")
	f.DurationVar(&p.grace, "grace", time.Minute, "look for the end of a grace window for up to this `time`; 0 does not look")
	f.StringVar(&p.file, "file", "", "write the facts to this new `file`, for provider.Load")
	f.StringVar(&p.name, "name", "probed", "the `name` of the entry in that file")
	f.StringVar(&p.format, "o", "text", "the `format` of the report: text or json")
	f.BoolVar(&p.yes, "yes", false, "do not ask")
}

// run asks the server and reports, also if it did not get to the end.
func (p *probing) run(ctx context.Context, c *console) error {
	if err := p.check(); err != nil {
		return err
	}
	f := &findings{}
	if err := p.discover(ctx, f); err != nil {
		return err
	}
	failed := p.ask(ctx, c, f)
	if err := p.report(c.stdout, f); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("the report has only what was established before: %w", failed)
	}
	if p.file == "" {
		return nil
	}
	text, err := f.providerFile(&p.target, p.name, time.Now().UTC().Format(time.DateOnly))
	if err != nil {
		return err
	}
	return writeNew(p.file, append(text, '\n'))
}

// maxGrace is the longest time for which probe looks for the end of a grace
// window.
const maxGrace = time.Hour

func (p *probing) check() error {
	switch {
	case p.clientID == "":
		return usageError("probe: -client is needed")
	case p.redirect == "" && !p.given:
		return usageError("probe: -redirect is needed, unless -token is given")
	case p.code && p.given:
		return usageError("probe: give -code or -token, and not both")
	case p.format != "text" && p.format != "json":
		return usageError("probe: -o is text or json")
	case p.grace < 0 || p.grace > maxGrace:
		return usageError("probe: -grace is a time of up to an hour")
	case p.name == "" || strings.Trim(p.name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return usageError("probe: -name has lower-case letters, digits and hyphens")
	}
	if u, err := url.Parse(p.redirect); p.redirect != "" && (err != nil || !u.IsAbs() || u.Fragment != "") {
		return usageError("probe: -redirect is no absolute URL without a fragment")
	}
	for what, text := range map[string]string{
		"-authorization-endpoint": p.authorize, "-token-endpoint": p.token, "-revocation-endpoint": p.revoke, "-api": p.api,
	} {
		if text == "" {
			continue
		}
		if err := checkURL(what, text); err != nil {
			return err
		}
	}
	if err := checkURL("ISSUER", p.issuer); err != nil {
		return err
	}
	if _, err := os.Lstat(p.file); p.file != "" && err == nil {
		return usageError("probe: the file of -file exists: name a new one")
	}
	return nil
}

// discover reads the metadata. Endpoints of the command line win.
func (p *probing) discover(ctx context.Context, f *findings) error {
	u, err := url.Parse(p.issuer)
	if err != nil {
		return usageError("probe: ISSUER is no URL")
	}
	found, err := discovery.Provider(ctx, p.issuer, &discovery.Options{InsecureLoopback: loopback(u), InsecurePrivate: true})
	needed := p.token == "" || p.authorize == "" && !p.given && !p.code
	switch {
	case err == nil:
		f.Metadata = new(true)
		p.issRequired = found.IssuerRequired
		for to, value := range map[*string]string{&p.authorize: found.AuthorizationURL, &p.token: found.TokenURL, &p.revoke: found.RevocationURL} {
			if *to == "" {
				*to = value
			}
		}
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case errors.Is(err, discovery.ErrNotFound):
		f.Metadata = new(false)
		if needed {
			return errors.New("the server publishes no metadata with its endpoints: name -authorization-endpoint and -token-endpoint")
		}
	case needed:
		return fmt.Errorf("%w (%s)", err, whyUnreached(err))
	}
	return nil
}

// ask makes all requests, in an order in which what can end the grant comes
// last.
func (p *probing) ask(ctx context.Context, c *console, f *findings) error {
	auth, err := f.clientAuth(ctx, &p.target)
	if err != nil {
		return err
	}
	if p.authorize != "" && p.redirect != "" {
		page := newFlow()
		if err := f.pkce(ctx, &p.target, p.page(page, true), p.page(page, false)); err != nil {
			return err
		}
	}
	if p.redirect != "" {
		if f.UnknownCode, err = p.exchange(ctx, auth, nothing, oauth2.GenerateVerifier()); err != nil {
			return err
		}
	}
	r, err := p.logIn(ctx, c, f, auth)
	if err != nil {
		return err
	}
	if err := p.tokens(ctx, c, f, auth, f.tokensOf(r)); err != nil {
		return err
	}
	return p.verifier(ctx, c, f, auth)
}

// works notes that a client got tokens in the given way.
func (f *findings) works(auth string) {
	switch auth {
	case authBasic:
		f.Basic = new(true)
	case authRaw:
		f.BasicRaw = new(true)
	case authPost:
		f.Post = new(true)
	}
}

// tokens finds out what becomes of the tokens.
func (p *probing) tokens(ctx context.Context, c *console, f *findings, auth string, first tokens) error {
	if p.api != "" && first.access() != "" {
		if err := f.apiAnswers(ctx, &p.target, first); err != nil {
			return err
		}
	}
	if first.refresh() == "" {
		return nil
	}
	now, err := f.rotation(ctx, &p.target, auth, first)
	if err != nil || f.Rotates == nil {
		return err
	}
	if *f.Rotates && p.agreed(ctx, c, p.twice()) {
		if now, err = f.reuse(ctx, p, c, auth, first, now); err != nil {
			return err
		}
	}
	ended := f.ReuseEnds != nil && *f.ReuseEnds
	if p.revoke != "" && !ended && p.agreed(ctx, c, "Revoke the refresh token? That can end the grant.") {
		return f.revocation(ctx, &p.target, auth, now)
	}
	return nil
}

// twice is the question before a refresh token is redeemed again.
func (p *probing) twice() string {
	text := "Redeem a refresh token twice"
	if ages := p.ages(); len(ages) > 0 {
		text += fmt.Sprintf(", and if that is answered, up to %d more times within %v", len(ages), p.grace)
	}
	return text + "? That can end the grant."
}

// agreed asks the operator.
func (p *probing) agreed(ctx context.Context, c *console, question string) bool {
	if p.yes {
		return true
	}
	fmt.Fprint(c.stderr, question, " Type yes: ")
	line, _ := readLine(ctx, p.in) // what is no yes is a no
	return strings.TrimSpace(line) == "yes"
}

package registration

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/backchannel"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/stored"
	"github.com/authtrip/authtrip/internal/timed"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Options adjusts a [Registrar]. The zero value is the safe default.
type Options struct {
	// HTTPClient carries the requests. Only its Transport is used: no
	// redirects, no cookies. Nil means http.DefaultTransport. If the server
	// comes from outside, give that of a discovery.Guard.
	HTTPClient *http.Client

	// InitialToken returns the token that the server p wants from those who may
	// register ([RFC 7591] section 3), or an empty one. It is called for each
	// registration, and must not change p. What it returns is sent to p: a token
	// of another server must not be, so compare p.Issuer if there are several
	// servers. Nil means that no server wants one.
	//
	// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
	InitialToken func(ctx context.Context, p *provider.Provider) (string, error)

	// Credential is what the app authenticates with if Metadata.TokenAuthMethod
	// needs a key. A secret of the server replaces it. All servers get what it
	// makes: so that none of them can use it at another one, it should be
	// jose.PrivateKeyJWT, whose assertions name the issuer that they are for. The
	// zero Credential means that no method needs a key.
	Credential oauth.Credential

	// InsecurePlainStore accepts a store that outlives the process and that
	// storage.Sealed did not make. What is lost: anybody who can read the store
	// has the client secret.
	InsecurePlainStore bool
}

// The limits of one registration.
const (
	timeout      = 20 * time.Second // of the request
	storeTimeout = 5 * time.Second  // of one operation of the store
	lease        = 40 * time.Second // of an announcement
	poll         = 500 * time.Millisecond
	replacePause = 10 * time.Minute // between registrations that the server refuses later
	longestPause = 24 * time.Hour
	longestRetry = time.Hour        // that a server may ask for
	retryPause   = 10 * time.Second // after a failure, in this process
	usedAgain    = 24 * time.Hour   // between two notes that a registration is used
)

// Unused is how long a registration is kept that new logins do not use, after a
// grant was last made or refreshed with it. Refresh tokens that nobody uses end
// earlier at most servers.
const Unused = 180 * 24 * time.Hour

// A Registrar registers one app at authorization servers. [New] makes one. It
// is safe for concurrent use.
type Registrar struct {
	store     *timed.Store
	metadata  Metadata
	options   Options
	transport http.RoundTripper
	flights   singleflight.Group

	mu     sync.Mutex // guards failed; never held across I/O
	failed map[string]failure
}

// failure is the last error at one server, which is returned for a moment.
type failure struct {
	err error
	at  time.Time
}

// A Registered is one registration of an app, for oauth.New. It may be printed:
// the secret is in the Credential, which shows nothing.
type Registered struct {
	// Provider is the server, with the method by which this client
	// authenticates. Registration has the client ID, the credential, the first
	// redirect URL and the scopes.
	Provider     *provider.Provider
	Registration oauth.Registration

	// At is when the app was registered. Expires is when the secret ends, or
	// zero.
	At, Expires time.Time

	// Refused says that the server has refused this client since. Old says that
	// a newer one, or one with the Metadata of now, is used for new logins.
	Refused, Old bool
}

// New returns a [Registrar] that keeps registrations in store. All processes of
// the app share the store. It is that of the grants, sealed: New refuses
// another one with storage.ErrPlain. Nil options mean all defaults.
func New(store storage.Store, m Metadata, o *Options) (*Registrar, error) {
	if o == nil {
		o = new(Options)
	}
	if store == nil {
		return nil, errors.New("registration: nil Store: pass the store of the grants")
	}
	if err := storage.CheckSealed(store); err != nil && !o.InsecurePlainStore {
		return nil, fmt.Errorf("registration: %w", err)
	}
	if _, err := m.resolve(methodBasic); err != nil {
		return nil, err
	}
	m.RedirectURLs, m.Scopes = slices.Clone(m.RedirectURLs), slices.Clone(m.Scopes)
	r := &Registrar{
		store: &timed.Store{Store: store, Timeout: storeTimeout}, metadata: m, options: *o,
		transport: http.DefaultTransport, failed: map[string]failure{},
	}
	if o.HTTPClient != nil && o.HTTPClient.Transport != nil {
		r.transport = o.HTTPClient.Transport
	}
	return r, nil
}

// Current returns the registration for new logins at p. If there is none in the
// store, it registers the app: once, whatever the number of goroutines and
// processes. It reads the store at each call: keep the oauth.Client that is
// made of the result. The error matches tokensource.ErrClient if the server
// refuses the app, tokensource.ErrTemporary if a later call may succeed, and
// [ErrUnreadable] if the stored registration cannot be read.
func (r *Registrar) Current(ctx context.Context, p *provider.Provider) (*Registered, error) {
	return r.shared(ctx, p, "")
}

// Replace is like Current, after the server refused the client with the given
// ID (tokensource.ErrClient with the code invalid_client): the app is
// registered again. If another process has done that already, nothing is sent.
// A server that refuses new clients too is asked 10 minutes later, then after
// twice as long, up to a day. Until then the error is tokensource.ErrClient. A
// client that [Registrar.Used] has noted is replaced at once: the server has
// accepted it, and forgot it later.
func (r *Registrar) Replace(ctx context.Context, p *provider.Provider, clientID string) (*Registered, error) {
	if clientID == "" {
		return nil, errors.New("registration: Replace needs the client ID that was refused")
	}
	return r.shared(ctx, p, clientID)
}

// All returns every registration that is kept for p, the newest last. Grants
// belong to the client that made them. So an app that was registered again
// needs a grant.Keeper for each of these clients until its users have logged in
// again. At most 16 are kept. One that new logins do not use is dropped when
// [Registrar.Used] has not noted it for the time [Unused]. Nothing is sent.
func (r *Registrar) All(ctx context.Context, p *provider.Provider) ([]*Registered, error) {
	j, err := r.job(ctx, p)
	if err != nil {
		return nil, err
	}
	_, rec, err := r.read(ctx, j.key)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	current, _ := rec.current(j.of, now)
	var all []*Registered
	for _, c := range rec.kept(j.of, now) {
		registered := r.registered(j, c)
		registered.Old = c.ID != current.ID
		all = append(all, registered)
	}
	return all, nil
}

// Used notes that a grant was made or refreshed with the client of the given
// ID. Call it after a login, and with each grant of an old client about once a
// day: the note keeps a registration that new logins do not use. It reads the
// store at each call, and writes once a day for each client. It is not an error
// if there is no such registration.
func (r *Registrar) Used(ctx context.Context, p *provider.Provider, clientID string) error {
	j, err := r.job(ctx, p)
	if err != nil {
		return err
	}
	return r.change(ctx, j.key, func(rec record) (record, bool) { return rec.using(j.of, clientID, time.Now()) })
}

// Forget removes a registration from the store, when no grant belongs to it any
// more. It is not an error if there is none.
func (r *Registrar) Forget(ctx context.Context, p *provider.Provider, clientID string) error {
	j, err := r.job(ctx, p)
	if err != nil {
		return err
	}
	return r.change(ctx, j.key, func(rec record) (record, bool) {
		kept := slices.DeleteFunc(slices.Clone(rec.Clients), func(c client) bool { return c.ID == clientID })
		if len(kept) == len(rec.Clients) {
			return rec, false
		}
		rec.Clients = kept
		return rec, true
	})
}

// A job is to register the app at one server.
type job struct {
	provider *provider.Provider
	metadata Metadata
	key      string // of the record
	of       string // hash of the metadata
}

func (r *Registrar) job(ctx context.Context, p *provider.Provider) (job, error) {
	if err := p.Validate(); err != nil {
		return job{}, err
	}
	method := methodBasic
	if p.ClientAuth == provider.Post {
		method = methodPost
	}
	m, err := r.metadata.resolve(method)
	if err != nil {
		return job{}, err
	}
	text, err := m.encode("")
	if err != nil {
		return job{}, err
	}
	sum := sha256.Sum256(text)
	urls := slices.Clone(m.RedirectURLs)
	slices.Sort(urls)
	key, err := r.store.Name(ctx, "client.", p.Authority(), urls...)
	if err != nil {
		return job{}, stored.Failed("store", err)
	}
	return job{provider: p, metadata: m, key: key, of: hex.EncodeToString(sum[:16])}, nil
}

// shared returns the outcome of one piece of work for all callers. It continues
// when ctx ends.
func (r *Registrar) shared(ctx context.Context, p *provider.Provider, refused string) (*Registered, error) {
	j, err := r.job(ctx, p)
	if err != nil {
		return nil, err
	}
	c, err := flight.Wait[client](ctx, r.flights.DoChan(j.key+" "+j.of+" "+refused, func() (any, error) {
		shared, stop := context.WithTimeout(backchannel.With(context.WithoutCancel(ctx)), timeout+2*lease)
		defer stop()
		return r.work(shared, j, refused)
	}))
	if err != nil {
		return nil, err
	}
	return r.registered(j, c), nil
}

// registered returns a client as package oauth takes it.
func (r *Registrar) registered(j job, c client) *Registered {
	p := j.provider.Clone()
	reg := oauth.Registration{ClientID: c.ID, RedirectURL: j.metadata.RedirectURLs[0], Scopes: slices.Clone(j.metadata.Scopes)}
	switch c.Method {
	case methodNone:
	case methodPost:
		p.ClientAuth, reg.Credential = provider.Post, oauth.Secret(c.Secret)
	case methodBasic:
		if p.ClientAuth == provider.Post {
			p.ClientAuth = provider.Basic
		}
		reg.Credential = oauth.Secret(c.Secret)
	default:
		reg.Credential = r.options.Credential
	}
	out := &Registered{Provider: p, Registration: reg, At: time.Unix(c.Made, 0), Refused: c.Refused}
	if c.Expires != 0 {
		out.Expires = time.Unix(c.Expires, 0)
	}
	return out
}

// me names this process in announcements.
var me = rand.Text()

// sane refuses an endpoint to which nothing may be sent.
func sane(p *provider.Provider) error {
	if u, err := url.Parse(p.RegistrationURL); p.RegistrationURL == "" || err != nil || u.Host == "" {
		return &tokensource.Error{Op: op, Kind: tokensource.ErrClient, Err: errors.ErrUnsupported, Hint: "the provider has no RegistrationURL: register the app by hand"}
	}
	return nil
}

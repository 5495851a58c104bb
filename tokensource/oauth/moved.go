package oauth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The bounds of Options.Reread.
const (
	rereadPause   = time.Minute
	rereadTimeout = 5 * time.Second
)

// moves knows which endpoints of the authorization server have moved since the
// Client was made. All copies of a Client share it.
type moves struct {
	first  *provider.Provider // as it was when the Client was made
	mtls   bool               // the client has a certificate
	reread func(context.Context) (*provider.Provider, error)

	mu    sync.Mutex // guards what follows; never held across I/O
	to    map[string]string
	stale bool      // a failure is explained by a moved endpoint
	tried time.Time // when reread was called last
}

// now returns where an endpoint is now. After a failure that a moved endpoint
// explains, the facts are read again first, once a minute at most.
func (m *moves) now(ctx context.Context, endpoint string) string {
	if m.reread == nil {
		return endpoint
	}
	m.mu.Lock()
	due := m.stale && time.Since(m.tried) >= rereadPause
	if due {
		m.stale, m.tried = false, time.Now()
	}
	m.mu.Unlock()
	if due {
		m.read(ctx)
	}
	return m.known(endpoint)
}

// known returns where an endpoint is, as far as that was read.
func (m *moves) known(endpoint string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if to := m.to[endpoint]; to != "" {
		return to
	}
	return endpoint
}

// read reads the facts. What cannot be read, or is about another server,
// changes nothing.
func (m *moves) read(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, rereadTimeout)
	defer stop()
	p, err := m.reread(ctx)
	if err != nil || p == nil || p.Issuer != m.first.Issuer || p.Validate() != nil || m.weaker(p) {
		return
	}
	before, after := endpointsOf(m.first, m.mtls), endpointsOf(p, m.mtls)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.to = map[string]string{
		m.first.AuthorizationURL: p.AuthorizationURL, m.first.IdentityURL: p.IdentityURL, before.push: after.push, before.device: after.device,
		before.revocation: after.revocation, before.clientCredentials: after.clientCredentials,
	}
	m.to[before.token] = after.token // counts where two endpoints were one
}

// weaker reports whether p allows http where the facts of the Client do not.
func (m *moves) weaker(p *provider.Provider) bool {
	return p.InsecureHTTP && !m.first.InsecureHTTP || p.InsecureLoopback && !m.first.InsecureLoopback
}

// observe remembers a failure that a moved endpoint explains: there is nothing
// at that address, or no connection to it.
func (m *moves) observe(a answer, err error) {
	if m.reread == nil {
		return
	}
	moved := false
	switch a.status {
	case 0:
		failed, ok := errors.AsType[*tokensource.Error](err)
		moved = ok && !failed.InDoubt
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
		http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusMisdirectedRequest:
		moved = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stale = m.stale || moved
}

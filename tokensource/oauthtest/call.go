package oauthtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// maxForm is how much of a form is read.
const maxForm = 1 << 20

// call is one request while it is being answered.
type call struct {
	s     *Server
	r     *http.Request
	ctx   context.Context //nolint:containedctx // a call lives as long as its request
	k     Knobs
	op    string
	query url.Values
	form  url.Values // the body of a form post; nil if it was none
	rec   *Request

	traded     string // which request of Provider.Trade it is; otherwise empty
	thumbprint string // of the key that the request proves
	secure     bool
	foreign    bool
}

// answer is the whole server: it lets the request arrive, records it, waits,
// applies faults and answers.
func (s *Server) answer(r *http.Request, secure, foreign bool) *reply {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	began := s.clock()
	c := &call{s: s, r: r, ctx: r.Context(), secure: secure, foreign: foreign}
	if !foreign {
		c.op = s.routes.find(r)
	}
	c.query, _ = url.ParseQuery(r.URL.RawQuery)
	if err := c.arrive(); err != nil {
		return dropped(err)
	}
	m := c.begin()
	if m == nil && c.k.Fault != nil {
		m = c.ownFault()
	}
	rep := c.serve(m)
	c.end(began, rep)
	return rep
}

// arrive decides whether the request reaches the server, and only then reads
// its form. A request whose body cannot be read never arrived: the server does
// not know of it, as no server would.
func (c *call) arrive() error {
	c.s.mu.Lock()
	c.k = c.s.knobs
	c.s.likeProvider(&c.k)
	early := c.request()
	early.Count = c.s.recorder.countDial(c.op)
	refused := c.s.unsent(&early)
	c.s.mu.Unlock()
	if refused {
		return errRefused
	}
	if c.k.Dial != nil {
		if err := c.k.Dial(c.ctx, early); err != nil {
			return err
		}
	}
	return c.readForm()
}

// request is what is known of a request before its body is read. The lock must
// be held.
func (c *call) request() Request {
	return Request{
		Time: c.s.now(), Method: c.r.Method, Host: c.r.Host, Path: c.r.URL.Path, Op: c.op, TLS: c.secure, Foreign: c.foreign,
	}
}

// begin records the request and picks a fault.
func (c *call) begin() *mishap {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.rec = c.s.recorder.add(c)
	return c.s.pick(c.rec)
}

func (c *call) serve(m *mishap) *reply {
	if err := wait(c.ctx, c.k.Latency); err != nil {
		return dropped(err)
	}
	if m == nil {
		return c.route()
	}
	return c.faulty(m)
}

// end completes the record, adds what the server sends with everything, and
// notifies the observer.
func (c *call) end(began time.Time, rep *reply) {
	c.s.mu.Lock()
	c.rec.Duration = c.s.clock().Sub(began)
	c.rec.Status = rep.status
	skewed := c.s.now().Add(c.k.ClockSkew)
	seen, nonce := c.rec.clone(), c.nonce()
	c.s.mu.Unlock()
	if rep.drop == nil {
		if nonce != "" {
			rep.header["Dpop-Nonce"] = []string{nonce}
		}
		rep.header["Date"] = []string{skewed.UTC().Format(http.TimeFormat)}
		if c.s.options.Stamp != nil {
			c.s.options.Stamp(rep.header, seen)
		}
	}
	c.notify()
}

// notify calls the observer.
func (c *call) notify() {
	if c.s.options.OnRequest == nil {
		return
	}
	c.s.mu.Lock()
	seen := c.rec.clone()
	c.s.mu.Unlock()
	c.s.options.OnRequest(seen)
}

// note adds a remark to the record. It must hold no secret. The lock must not
// be held.
func (c *call) note(text string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.noteLocked(text)
}

func (c *call) noteLocked(text string) { c.rec.Notes = append(c.rec.Notes, text) }

// issued records the pair that the answer holds. The lock must be held.
func (c *call) issued(p *pair, text string) {
	c.rec.UserID, c.rec.Grant, c.rec.Pair = p.grant.user, p.grant.number, p.number
	c.noteLocked(text)
}

func (c *call) route() *reply {
	if c.foreign {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.r.Body, maxForm))
		return newReply(http.StatusOK, typeText, "a stranger answers\n")
	}
	switch c.op {
	case opAuthorize:
		return c.authorize()
	case opToken:
		if c.r.URL.Path == c.s.routes.credentials {
			return c.post(c.credentials)
		}
		if c.traded != "" {
			return c.reworded(c.trade())
		}
		return c.reworded(c.post(c.token))
	case opRevoke:
		return c.revocation()
	case opKeys:
		return c.keys()
	case opLogout:
		return c.endSession()
	case opDevice:
		return c.post(c.deviceCode)
	case opPush:
		return c.post(c.push)
	case opIdentity, opAPI:
		return c.api()
	}
	return c.say("path", "")
}

func (c *call) post(serve func() *reply) *reply {
	if c.r.Method != http.MethodPost {
		return c.say("method", http.MethodPost)
	}
	return serve()
}

// readForm reads the body of a form post to the authorization server. A body
// that is no form stays unread and counts as empty.
func (c *call) readForm() error {
	c.translate(c.query)
	if c.traded = c.trading(); c.traded != "" && c.r.Method == http.MethodGet {
		c.form, c.query = c.query, nil
		return nil
	}
	posted := c.r.Method == http.MethodPost || c.r.Method == http.MethodDelete
	if !posted || !slices.Contains([]string{opAuthorize, opToken, opRevoke, opPush, opDevice}, c.op) {
		return nil
	}
	asJSON, ok := c.readable()
	if !ok {
		return nil
	}
	parse := url.ParseQuery
	if asJSON {
		parse = parseJSONForm
	}
	raw, err := io.ReadAll(io.LimitReader(c.r.Body, maxForm))
	if err != nil {
		return err
	}
	c.form, _ = parse(string(raw))
	c.translate(c.form)
	c.traded = c.trading()
	return nil
}

// parseJSONForm reads the members of a JSON object whose values are text as the
// parameters of a form. Other members are ignored.
func parseJSONForm(text string) (url.Values, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return nil, err
	}
	form := url.Values{}
	for name, value := range object {
		if s, ok := value.(string); ok {
			form.Set(name, s)
		}
	}
	return form, nil
}

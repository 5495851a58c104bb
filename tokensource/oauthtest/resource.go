package oauthtest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// api answers a request to the API.
func (c *call) api() *reply {
	tok, code := Token{Dead: Unknown}, ""
	if raw := c.apiToken(); raw != "" {
		if held := c.s.Token(raw); held.Kind == "access_token" && c.bound(held) {
			if code = c.carried(raw, held); code == "" {
				tok = held
			}
		}
	}
	var body payload
	r := c.r
	if tok.Dead == "" || !c.k.EarlyReject {
		var err error
		if body, err = readBody(c.r.Body); err != nil {
			c.note("the request's body broke off")
			return dropped(err)
		}
		r = c.r.WithContext(c.ctx)
		r.Body = io.NopCloser(bytes.NewReader(body.text))
	}
	if code != "" {
		return c.challenge(code)
	}
	if rep := c.handled(r, tok, body); rep != nil {
		return rep
	}
	if tok.Dead != "" {
		return c.rejected()
	}
	if rep := c.unheaded(tok.ClientID); rep != nil {
		return rep
	}
	return c.plain(tok, body)
}

// bound reports whether a token is on a connection to which it may be bound.
func (c *call) bound(t Token) bool {
	c.s.mu.Lock()
	app := c.s.apps[t.ClientID]
	c.s.mu.Unlock()
	return app == nil || app.Thumbprint == "" || c.presents(app)
}

// handled asks Options.Handle. It returns nil if the server's own answer is
// wanted.
func (c *call) handled(r *http.Request, tok Token, body payload) *reply {
	if c.s.options.Handle == nil {
		return nil
	}
	c.s.mu.Lock()
	seen := c.rec.clone()
	c.s.mu.Unlock()
	a := c.s.options.Handle(r, seen, tok)
	if a == nil {
		return nil
	}
	if a.Note != "" {
		c.note(a.Note)
	}
	if a.Status != 0 {
		return replyOf(a)
	}
	rep := c.plain(tok, body)
	for name, values := range a.Header {
		rep.header[http.CanonicalHeaderKey(name)] = values
	}
	return rep
}

// credentials is an endpoint of its own for client credentials.
func (c *call) credentials() *reply {
	r := c.r.WithContext(c.ctx)
	r.PostForm = c.form
	if rep := c.handled(r, Token{Dead: Unknown}, payload{}); rep != nil {
		return rep
	}
	return c.token()
}

// payload is the body of an API request: its first MiB, and the size and hash
// of all of it.
type payload struct {
	text []byte
	size int64
	sum  []byte
}

// readBody reads what the client sends, to its end.
func readBody(body io.Reader) (payload, error) {
	sum := sha256.New()
	if body == http.NoBody {
		return payload{sum: sum.Sum(nil)}, nil
	}
	var head bytes.Buffer
	size, err := io.Copy(io.MultiWriter(&head, sum), io.LimitReader(body, maxForm))
	if err == nil {
		var more int64
		more, err = io.Copy(sum, body)
		size += more
	}
	return payload{text: head.Bytes(), size: size, sum: sum.Sum(nil)}, err
}

// rejected refuses a request without a good token (RFC 6750 section 3).
func (c *call) rejected() *reply {
	if c.k.Rejected != nil {
		return replyOf(c.k.Rejected)
	}
	if rep := c.rejection(); rep != nil && c.k.RejectStatus == 0 {
		return rep
	}
	status := cmp.Or(c.k.RejectStatus, http.StatusUnauthorized)
	rep := newReply(status, typeText, http.StatusText(status)+"\n")
	challenge := c.k.Challenge
	if challenge == "" {
		challenge = "Bearer"
		if c.s.options.Proofs != nil {
			challenge = "DPoP"
		}
		if len(c.r.Header.Values("Authorization")) > 0 {
			challenge += ` error="invalid_token"`
		}
	}
	if challenge != "-" {
		rep.header.Set("WWW-Authenticate", challenge)
	}
	return rep
}

// plain is the server's own answer to a request with a good token.
func (c *call) plain(tok Token, body payload) *reply {
	if c.op != opIdentity {
		return c.echo(body)
	}
	if tok.User.ID == "" {
		rep := newReply(http.StatusForbidden, typeText, "Forbidden\n")
		rep.header.Set("WWW-Authenticate", `Bearer error="insufficient_scope"`)
		return rep
	}
	if len(c.s.provider.IdentityPaths.Subject) > 0 {
		return c.described(tok.User)
	}
	return answerJSON(userInfo(tok.User))
}

// echo describes what arrived.
func (c *call) echo(body payload) *reply {
	return answerJSON(map[string]any{
		"method":            c.r.Method,
		"length":            body.size,
		"sha256":            hex.EncodeToString(body.sum),
		"content_length":    c.r.ContentLength,
		"transfer_encoding": strings.Join(c.r.TransferEncoding, ","),
		"expect":            c.r.Header.Get("Expect"),
		"content_type":      c.r.Header.Get("Content-Type"),
		"idempotency_key":   c.r.Header.Get("Idempotency-Key"),
	})
}

func answerJSON(value any) *reply {
	body, err := json.Marshal(value)
	if err != nil {
		return newReply(http.StatusInternalServerError, typeText, "") // cannot happen: the values above can be encoded
	}
	return newReply(http.StatusOK, typeJSON, string(body))
}

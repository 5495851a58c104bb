package oauth

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// response is what was read of an answer with a status that means success. If
// the server granted, the form of its answer does not matter (G14).
type response struct {
	members members.Object
	tok     *oauth2.Token // nil if the answer names no token
	bad     error         // why tok cannot be used, or nil
}

// readResponse reads an answer to a token request that was sent at sent. If the
// server names no lifetime, assumed is used; zero means that the lifetime is
// unknown.
func (c *Client) readResponse(body []byte, sent time.Time, assumed time.Duration) response {
	all, _ := members.Read(body)
	r := response{members: all}
	o := tokenObject(all, c.provider.TokenObject)
	if !names(o, "access_token") && !names(o, "refresh_token") {
		return r
	}
	tok, faults := new(oauth2.Token), make([]error, 3)
	tok.AccessToken, faults[0] = credential(o, "access_token", ascii.Visible)
	if tok.AccessToken == "" && faults[0] == nil {
		faults[0] = errors.New("the answer has a refresh token and no access_token")
	}
	tok.RefreshToken, faults[1] = credential(o, "refresh_token", ascii.Text)
	tok.TokenType, faults[2] = tokenType(o, c.prover != nil)
	r.bad = cmp.Or(faults...)

	raw, _ := o.Raw("expires_in")
	life, known := lifetime(raw)
	if !known {
		life, known = c.remaining(all, sent)
	}
	if !known {
		life = assumed
	}
	if life > 0 {
		tok.Expiry = sent.Add(life)
		tok.ExpiresIn = int64(life / time.Second)
	}
	extra := all.Values()
	c.addEnds(extra, sent, o, all)
	extra[members.Names] = slices.Collect(maps.Keys(extra))
	raw, _ = o.Raw("scope")
	extra["scope"] = strings.Join(scopes(raw, c.provider.ScopeSeparator, c.registration.Scopes), " ")
	r.tok = proving.Bind(tok, extra, c.key())
	return r
}

// complete reports whether everything of the tokens is there. Of an answer that
// was cut off, a refresh token may be missing.
func (r response) complete() bool {
	return r.tok != nil && (r.members.Whole || r.bad == nil && r.tok.RefreshToken != "")
}

// hasError reports whether an answer has an error, so that it is no success
// whatever its status (G15). The code may be one that nobody can read.
func hasError(o members.Object) bool {
	raw, times := o.Raw("error")
	if times == 0 {
		return false
	}
	value, _ := members.Value(raw)
	switch value := value.(type) {
	case nil:
		return false
	case []any:
		return len(value) > 0
	case map[string]any:
		return len(value) > 0
	case float64:
		return value != 0
	}
	none := []string{"", "null", "false", "0", "none"} // some servers write these as texts
	return !slices.Contains(none, strings.ToLower(strings.TrimSpace(members.Text(raw))))
}

// tokenObject returns the object with the tokens: the one at path, or the whole
// answer if there is none with an access token.
func tokenObject(all members.Object, path string) members.Object {
	if path == "" {
		return all
	}
	inner, ok := members.Read(all.At(path))
	if !ok || !names(inner, "access_token") {
		return all
	}
	return inner
}

// names reports whether a member of o has a value that is not empty.
func names(o members.Object, name string) bool {
	raw, times := o.Raw(name)
	return times > 0 && !slices.Contains([]string{"null", `""`}, string(raw))
}

// credential returns a token. It refuses one that is there twice, because
// nobody knows which of them counts, and one with characters that no request
// may carry.
func credential(o members.Object, name string, valid func(string) bool) (string, error) {
	raw, times := o.Raw(name)
	s, ok := members.String(raw)
	switch {
	case times == 0:
		return "", nil
	case times > 1:
		return "", errors.New("the answer has " + name + " twice")
	case !ok:
		return "", errors.New("the answer's " + name + " is not a string")
	case !valid(s):
		return "", errors.New("the answer's " + name + " has characters that no request can carry")
	}
	return s, nil
}

// key returns the key to which tokens are bound, or nil.
func (c *Client) key() *proving.Key {
	if c.prover == nil {
		return nil
	}
	return proving.Opened(c.prover())
}

// tokenType returns how the access token is to be sent. Servers write many
// things where they mean Bearer, or nothing. A type that is bound to a key is
// refused unless there is a key: as a Bearer token, it would not be accepted.
// If there is a key, a token that is not bound to it is refused (RFC 9449
// section 5).
func tokenType(o members.Object, prover bool) (string, error) {
	raw, _ := o.Raw("token_type")
	switch strings.ToLower(strings.TrimSpace(members.Text(raw))) {
	case "dpop":
		if prover {
			return "DPoP", nil
		}
		return "", errors.New("the answer's token is bound to a key by DPoP, and this client has no key: set oauth.Options.Proofs")
	case "pop", "mac":
		return "", errors.New("the answer's token is bound to a key, and this client has no key")
	}
	if prover {
		return "", errors.New("the answer's token is not bound to the key of this client: the server does not support DPoP, or not for this client")
	}
	return "Bearer", nil
}

// scopes returns the granted scopes. A server may name them in a list. It may
// separate them by commas although nothing says so: that is believed unless a
// scope that was asked for has a comma in it. A scope with characters that no
// scope has is left out.
func scopes(raw json.RawMessage, separator string, asked []string) (list []string) {
	texts := []string{members.Text(raw)}
	if bytes.HasPrefix(raw, []byte("[")) && json.Unmarshal(raw, &texts) != nil {
		texts = nil
	}
	comma := func(s string) bool { return strings.Contains(s, ",") }
	commas := separator == "" && !slices.ContainsFunc(asked, comma)
	for _, text := range texts {
		for s := range strings.FieldsFuncSeq(text, func(r rune) bool {
			return r <= ' ' || commas && r == ',' || strings.ContainsRune(separator, r)
		}) {
			if ascii.Visible(s) {
				list = append(list, s)
			}
		}
	}
	return list
}

// joinScopes returns scopes as the server wants them in a request.
func joinScopes(p *provider.Provider, list []string) string {
	separator := p.ScopeSeparator
	if separator == "" {
		separator = " "
	}
	return strings.Join(list, separator)
}

// lifetime reads expires_in, and reports whether it is known. It is lenient,
// because a refusal would lose a token that was just rotated. A decimal string
// counts, a fraction is cut off, a huge value is limited. Anything that cannot
// be read means that the lifetime is unknown. It does not mean zero or
// unlimited.
func lifetime(raw json.RawMessage) (time.Duration, bool) {
	if len(raw) == 0 {
		return 0, false
	}
	s := strings.TrimSpace(strings.Trim(string(raw), `"`))
	seconds, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) && seconds > 0 {
		err = nil
	}
	if err != nil || math.IsNaN(seconds) || seconds < 1 {
		return 0, false
	}
	return time.Duration(min(seconds, math.MaxInt32)) * time.Second, true
}

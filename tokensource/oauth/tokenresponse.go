package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
)

// tokenMembers are the members of a token response that are read (RFC 6749
// sections 5.1 and 5.2).
var tokenMembers = []string{
	"access_token", "token_type", "expires_in", "refresh_token", "scope", "error", "error_description",
}

// parseToken reads a token response strictly, since its content becomes a
// header and a stored grant. If the server names no lifetime, assumed is used;
// zero means that the lifetime is unknown.
func parseToken(body []byte, now time.Time, assumed time.Duration) (*oauth2.Token, error) {
	m, err := members(body, tokenMembers)
	if err != nil {
		return nil, err
	}
	if _, failed := m["error"]; failed {
		return nil, errors.New("the answer has status 200 and an error member")
	}
	tok := new(oauth2.Token)
	if tok.AccessToken, err = credential(m, "access_token"); err != nil {
		return nil, err
	}
	if tok.AccessToken == "" {
		return nil, errors.New("the answer has no access_token")
	}
	if tok.RefreshToken, err = credential(m, "refresh_token"); err != nil {
		return nil, err
	}
	if tok.TokenType, err = text(m, "token_type"); err != nil {
		return nil, err
	}
	if !strings.EqualFold(tok.TokenType, "bearer") {
		return nil, errors.New("the answer's token_type is not Bearer: this client can use no other")
	}
	scope, err := text(m, "scope")
	if err != nil {
		return nil, err
	}
	lifetime, known := lifetime(m["expires_in"])
	if !known {
		lifetime = assumed
	}
	if lifetime > 0 {
		tok.Expiry = now.Add(lifetime)
		tok.ExpiresIn = int64(lifetime / time.Second)
	}
	return tok.WithExtra(map[string]any{"scope": scope}), nil
}

// members returns the members of a JSON object that are named in known. It
// refuses what encoding/json accepts: duplicates, names in another case,
// trailing bytes and invalid UTF-8 (RFC 8259 section 4, RFC 7493).
func members(body []byte, known []string) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("the answer is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("the answer is not a JSON object")
	}
	found, seen := map[string]json.RawMessage{}, map[string]bool{}
	for dec.More() {
		name, raw, err := member(dec)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, errors.New("the answer names one member twice")
		}
		seen[name] = true
		for _, k := range known {
			if name == k {
				found[k] = raw
			} else if strings.EqualFold(name, k) {
				return nil, fmt.Errorf("the answer spells %s in another case", k)
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("the answer's JSON is cut short")
	}
	if dec.More() || len(bytes.TrimSpace(body[dec.InputOffset():])) > 0 {
		return nil, errors.New("the answer goes on behind its JSON object")
	}
	return found, nil
}

// member reads one name and its value.
func member(dec *json.Decoder) (string, json.RawMessage, error) {
	key, err := dec.Token()
	if err != nil {
		return "", nil, errors.New("the answer is not valid JSON")
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return "", nil, errors.New("the answer is not valid JSON")
	}
	name, _ := key.(string)
	return name, raw, nil
}

// text returns a string member. A null and a missing member are empty.
func text(m map[string]json.RawMessage, name string) (string, error) {
	var s string
	if raw, ok := m[name]; ok && json.Unmarshal(raw, &s) != nil {
		return "", fmt.Errorf("the answer's %s is not a string", name)
	}
	return s, nil
}

// credential returns a token member. It refuses bytes that no header may
// contain (RFC 6749 appendix A.12 and A.17).
func credential(m map[string]json.RawMessage, name string) (string, error) {
	s, err := text(m, name)
	if err == nil && !ascii.Visible(s) {
		return "", fmt.Errorf("the answer's %s holds characters that no token has", name)
	}
	return s, err
}

// lifetime reads expires_in, and reports whether it is known. It is lenient,
// because a refusal would lose a token that was just rotated. A decimal string
// counts, a fraction is cut off, a huge value is limited. Anything that cannot
// be read means that the lifetime is unknown. It does not mean zero or
// unlimited.
func lifetime(raw json.RawMessage) (time.Duration, bool) {
	s := strings.Trim(string(raw), `"`)
	seconds, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) && seconds > 0 {
		err = nil
	}
	if err != nil || math.IsNaN(seconds) || seconds < 1 {
		return 0, false
	}
	return time.Duration(min(seconds, math.MaxInt32)) * time.Second, true
}

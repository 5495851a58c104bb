package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/authtrip/authtrip/storage/seal"
)

// facts is an entry as -o json prints it.
type facts struct {
	Key            string    `json:"key"`
	Kind           string    `json:"kind"`
	State          string    `json:"state"`
	Reason         string    `json:"reason,omitempty"` // of state dead
	Code           string    `json:"code,omitempty"`   // the server's, with state dead
	Seal           sealing   `json:"seal"`
	Error          string    `json:"error,omitempty"` // why it cannot be read
	Subject        string    `json:"subject,omitempty"`
	Issuer         string    `json:"issuer,omitempty"`
	Client         string    `json:"client,omitempty"`
	Scopes         []string  `json:"scopes,omitempty"`
	Authorized     time.Time `json:"authorized,omitzero"`
	Obtained       time.Time `json:"obtained,omitzero"`
	Expiry         time.Time `json:"expiry,omitzero"`
	Refreshable    bool      `json:"refreshable"`
	RedeemingSince time.Time `json:"redeeming_since,omitzero"`
	RedeemingUntil time.Time `json:"redeeming_until,omitzero"`
	Doubts         uint64    `json:"doubts,omitempty"`
	Failures       uint64    `json:"failures,omitempty"`
	RetryAt        time.Time `json:"retry_at,omitzero"`
	Epoch          string    `json:"epoch,omitempty"`
	LoggedOut      time.Time `json:"logged_out,omitzero"`
	Unrevoked      int       `json:"unrevoked,omitempty"` // tokens that the server has yet to revoke
	UnrevokedSince time.Time `json:"unrevoked_since,omitzero"`
	RevokeTries    uint64    `json:"revoke_tries,omitempty"`
	RevokeAt       time.Time `json:"revoke_at,omitzero"` // the next try
}

func (e entry) facts(now time.Time) facts {
	f := facts{Key: e.key, Kind: kindOf(e.key).name, State: e.state(now), Seal: e.seal}
	if e.err != nil {
		f.Error = e.err.Error()
	}
	if g := e.grant; g != nil {
		f.Subject, f.Issuer, f.Client, f.Scopes, f.Epoch = g.Subject, g.Issuer, g.ClientID, g.Scopes, g.Epoch
		f.Reason, f.Code, f.Refreshable = string(g.Dead), g.Code, g.Refreshable
		f.Authorized, f.Obtained, f.Expiry = g.Authorized.UTC(), g.Obtained.UTC(), g.Expiry.UTC()
		f.RedeemingSince, f.RedeemingUntil, f.Doubts = g.RedeemingSince.UTC(), g.RedeemingUntil.UTC(), g.Doubts
		f.Failures, f.RetryAt = g.Failures, g.RetryAt.UTC()
		f.LoggedOut, f.Unrevoked = g.LoggedOut.UTC(), g.Unrevoked
		f.UnrevokedSince, f.RevokeTries, f.RevokeAt = g.UnrevokedSince.UTC(), g.RevokeTries, g.RevokeAt.UTC()
	}
	return f
}

// condition is the state in words, with all that an operator should know at a
// glance.
func (e entry) condition(now time.Time) string {
	parts := []string{e.state(now)}
	switch {
	case e.grant != nil && e.grant.Dead != "":
		parts[0] += ": " + printable(string(e.grant.Dead))
	case errors.Is(e.err, seal.ErrUnknownKey):
		parts[0] += ": its key is not in " + keysVariable
	case errors.Is(e.err, seal.ErrTampered):
		parts[0] += ": changed, or sealed for another place"
	}
	if g := e.grant; g != nil && g.Unrevoked > 0 {
		parts = append(parts, fmt.Sprintf("%d to be revoked, next try %s", g.Unrevoked, timeText(g.RevokeAt)))
	}
	switch e.seal {
	case sealOlder:
		parts = append(parts, "sealed with an old key")
	case sealNone:
		parts = append(parts, "not sealed")
	case sealFirst, sealUnknown:
	}
	return strings.Join(parts, ", ")
}

// printable returns s as it is, or quoted if a terminal or a table would show
// something else.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return s
}

// withoutControls returns a message in which a question mark stands for
// whatever a terminal would obey, as in the text of a server. Lines stay.
func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// or returns s fit for a terminal, or a dash for an empty s.
func or(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// writeJSON prints v in one line. What a terminal would obey stands there as an
// escape: JSON itself escapes only some of it.
func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escaped(text.Bytes()))
	return err
}

// escaped returns a line of JSON with escapes for characters that are not
// printable. Such characters can only be inside of strings.
func escaped(line []byte) []byte {
	printed := make([]byte, 0, len(line))
	for _, r := range string(line) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			printed = utf8.AppendRune(printed, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			printed = fmt.Appendf(printed, `\u%04x\u%04x`, high, low)
		default:
			printed = fmt.Appendf(printed, `\u%04x`, r)
		}
	}
	return printed
}

package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// check refuses an entry that cannot be right. URLs and what else a Provider
// has are checked there.
func (e *Entry) check() error {
	switch {
	case e.Name == "" || strings.Trim(e.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return errors.New(`"name": use lower-case letters, digits and hyphens`)
	case e.Title == "":
		return errors.New(`"title" is missing`)
	}
	if _, err := time.Parse(time.DateOnly, e.Checked); err != nil {
		return errors.New(`"checked" is no date, such as "2026-11-26"`)
	}
	for _, check := range []func() error{e.checkVars, e.checkWords, e.checkMembers, e.checkSources} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

var varName = regexp.MustCompile(`\A[a-z][a-z0-9_]*\z`)

// reserved are names in braces that stand for something else than a variable.
var reserved = []string{"client_id", "access_token", "refresh_token", "expires_in", "expires_at", "scope", "user"}

func (e *Entry) checkVars() error {
	for _, name := range slices.Sorted(maps.Keys(e.Vars)) {
		v := e.Vars[name]
		switch {
		case !varName.MatchString(name) || slices.Contains(reserved, name):
			return fmt.Errorf("variable %q: use another name, of lower-case letters", name)
		case !v.matches(v.Example):
			return fmt.Errorf("variable %q: the pattern is wrong, or does not match the example", name)
		case v.Default != "" && !v.matches(v.Default):
			return fmt.Errorf("variable %q: the pattern does not match the default", name)
		case v.About == "":
			return fmt.Errorf("variable %q: \"about\" is missing", name)
		case !strings.Contains(string(e.raw), "{"+name+"}"):
			return fmt.Errorf("variable %q is not used", name)
		}
	}
	return nil
}

// checkWords refuses a word that a member with a list of words does not have,
// and a text that is no duration where one must be.
func (e *Entry) checkWords() error {
	return words(reflect.ValueOf(e).Elem())
}

func words(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Struct:
		for field, value := range v.Fields() {
			if !field.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if err := oneOf(name, field.Tag.Get("enum"), value); err != nil {
				return err
			}
			if field.Tag.Get("form") == "duration" {
				if _, err := Duration(value.String()); err != nil {
					return fmt.Errorf("%q: %w", name, err)
				}
			}
			if err := words(value); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := words(v.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func oneOf(name, enum string, v reflect.Value) error {
	if enum == "" {
		return nil
	}
	list, ok := v.Interface().([]string)
	if !ok && v.String() != "" {
		list = []string{v.String()}
	}
	for _, word := range list {
		if !slices.Contains(strings.Fields(enum), word) {
			return fmt.Errorf("%q: %q is none of: %s", name, word, enum)
		}
	}
	return nil
}

// checkMembers refuses facts that contradict each other.
func (e *Entry) checkMembers() error {
	kept := slices.Concat(e.Token.Keep, e.Callback.Keep)
	for member, hosts := range e.API.GrantOrigins {
		if !slices.Contains(kept, member) || len(hosts) == 0 {
			return fmt.Errorf(`"grant_origins": %q must be kept, and have hosts`, member)
		}
	}
	if (e.Token.ExpiryMember == "") != (e.Token.ExpiryForm == "") {
		return errors.New(`"expiry_member" and "expiry_form" belong together`)
	}
	if (e.Callback.TokenHost == "") != (len(e.Callback.TokenHosts) == 0) {
		return errors.New(`"token_host" and "token_hosts" belong together`)
	}
	for _, r := range e.Refusals {
		if r.Fixer == "" || r.Status == 0 && len(r.Where) == 0 {
			return errors.New(`"refusals": each needs a fixer, and a status or members`)
		}
	}
	for _, a := range e.API.Answers {
		if a.Status == 0 {
			return errors.New(`"answers": each needs a status`)
		}
	}
	return nil
}

// Groups returns the groups of facts that the entry has, in the order of their
// names.
func (e *Entry) Groups() []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(e.raw, &members) != nil {
		return nil
	}
	for _, name := range []string{"name", "title", "checked", "function", "vars", "code", "sources"} {
		delete(members, name)
	}
	return slices.Sorted(maps.Keys(members))
}

// checkSources refuses an entry with facts whose source nobody knows.
func (e *Entry) checkSources() error {
	known := map[string]bool{}
	for _, s := range e.Sources {
		if len(s.For) == 0 || s.Kind == "" || s.Ref == "" {
			return errors.New(`"sources": each needs "for", "kind" and "ref"`)
		}
		for _, group := range s.For {
			if !slices.Contains(e.Groups(), group) {
				return fmt.Errorf(`"sources": the entry has no group %q`, group)
			}
			known[group] = true
		}
	}
	for _, group := range e.Groups() {
		if !known[group] {
			return fmt.Errorf("%q has no source", group)
		}
	}
	return nil
}

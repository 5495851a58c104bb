package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
)

// report prints all findings, in the order of the struct.
func (p *probing) report(w io.Writer, f *findings) error {
	if p.format == "json" {
		return writeJSON(w, f)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	v := reflect.ValueOf(*f)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		text := "unknown"
		if !v.Field(i).IsNil() {
			b, err := json.Marshal(v.Field(i).Interface())
			if err != nil {
				return err
			}
			text = string(b)
		}
		fmt.Fprintf(t, "%s\t%s\n", strings.ReplaceAll(name, "_", " "), printable(text))
	}
	return t.Flush()
}

// writeNew writes a file that was not there before.
func writeNew(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // the operator names it; it holds no secret
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// deadCode returns the code with which the server refuses a refresh token whose
// grant has ended, if that code means nothing else. Package oauth knows
// invalid_grant by itself.
func (f *findings) deadCode() string {
	r := f.DeadRefresh
	if r == nil || !r.refused() || slices.Contains(plain, r.Code) || r.Code == withheld {
		return ""
	}
	return r.Code
}

// providerFile returns the facts in the format of provider.Load. A fact that
// was not established is absent: the Provider then expects the strictest
// server.
func (f *findings) providerFile(t *target, name, day string) ([]byte, error) {
	yes := func(b *bool) bool { return b != nil && *b }
	no := func(b *bool) bool { return b != nil && !*b }
	type object = map[string]any
	set := func(o object, member string, value string) {
		if value != "" {
			o[member] = value
		}
	}
	endpoints := object{"authorization": t.authorize, "token": t.token}
	set(endpoints, "revocation", t.revoke)
	if yes(f.Metadata) || yes(f.IssInAnswer) {
		endpoints["issuer"] = t.issuer
	}
	entry := object{"name": name, "title": name, "checked": day, "endpoints": endpoints}
	about := []string{"endpoints"}
	add := func(group string, o object) {
		if len(o) > 0 {
			entry[group], about = o, append(about, group)
		}
	}
	client := object{}
	switch {
	case yes(f.Basic):
		client["auth"] = authBasic
	case yes(f.BasicRaw):
		client["auth"] = authRaw
	case yes(f.Post):
		client["auth"] = authPost
	}
	add("client", client)
	refresh := object{}
	if yes(f.EndsAccess) {
		refresh["ends_access"] = true
	}
	if no(f.ReuseEnds) {
		refresh["reuse_spares_grant"] = true
	}
	if f.GraceAtLeast != nil && *f.GraceAtLeast > 0 {
		refresh["grace"] = fmt.Sprintf("%ds", *f.GraceAtLeast)
	}
	add("refresh", refresh)
	if code := f.deadCode(); code != "" {
		entry["refusals"] = []object{{"ops": []string{"refresh"}, "where": map[string]string{"error": code}, "fixer": "user"}}
		about = append(about, "refusals")
	}
	api := object{}
	if u, err := url.Parse(t.api); err == nil && u.Host != "" {
		api["origins"] = []string{u.Scheme + "://" + u.Host}
	}
	if f.BadTokenStatus != nil && *f.BadTokenStatus != http.StatusUnauthorized {
		api["rejected"] = []int{*f.BadTokenStatus}
	}
	add("api", api)
	entry["sources"] = []object{{"for": about, "kind": "code", "ref": "grantctl probe", "date": day}}
	return json.MarshalIndent(object{"providers": []object{entry}}, "", "\t")
}

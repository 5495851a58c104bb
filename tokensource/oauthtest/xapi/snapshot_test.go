package xapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestSnapshotHoldsNoTokenAndRestores(t *testing.T) {
	s := fake(t, nil)
	first := issue(t, s, ci)
	second := parseTokens(t, refresh(t, s, ci, first.Refresh))
	public := issue(t, s, na)
	call(t, s, http.MethodPost, tweetsURL, second.Access, `{"text":"one"}`)
	saved, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{first.Access, first.Refresh, second.Access, second.Refresh, public.Refresh} {
		if strings.Contains(string(saved), token) {
			t.Error("the snapshot holds a token")
		}
	}

	next := fake(t, nil)
	issue(t, next, ci) // replaced by the snapshot
	if err := next.Restore(saved); err != nil {
		t.Fatal(err)
	}
	if again, err := next.Snapshot(); err != nil || len(again) != len(saved) {
		t.Errorf("Snapshot after Restore = %d bytes, %v, want %d", len(again), err, len(saved))
	}
	if grants, posts := next.Grants(), next.State().Posts; len(grants) != 2 || len(posts) != 1 || grants[0].Refreshes != 1 {
		t.Errorf("restored %+v and %+v, want two grants and a post", grants, posts)
	}
	if got := call(t, next, http.MethodGet, meURL, second.Access, "").status; got != http.StatusOK {
		t.Errorf("GET me after Restore = %d, want 200", got)
	}
	public = parseTokens(t, refresh(t, next, na, public.Refresh))
	wantInvalid(t, "reuse after Restore", refresh(t, next, ci, first.Refresh), badToken)
	if !reused(next) {
		t.Error("the restored server forgot that the token was used")
	}
	issue(t, next, na)
	if got := call(t, next, http.MethodGet, meURL, public.Access, "").status; got != http.StatusUnauthorized {
		t.Errorf("GET me after a new login = %d, want 401: the restored grant ends", got)
	}
}

func TestRestoreRefusesDamage(t *testing.T) {
	s := fake(t, nil)
	token := issue(t, s, ci).Access
	for _, bad := range []string{
		"", "{", `[]`, `{}`, `{"books":[]}`, `{"books":{"grants":[{"number":2,"client":"c","user":"u"}]}}`,
	} {
		if err := s.Restore([]byte(bad)); err == nil {
			t.Errorf("Restore(%q) = nil, want an error", bad)
		}
	}
	if got := call(t, s, http.MethodGet, meURL, token, "").status; got != http.StatusOK {
		t.Errorf("GET me after refused restores = %d, want 200", got)
	}
	if err := s.Restore([]byte(`{"books":{}}`)); err != nil {
		t.Errorf("Restore(nothing) = %v, want nil", err)
	}
	if err := s.RevokeGrant(userID, ci.ClientID); err == nil {
		t.Error("RevokeGrant after Restore(nothing) = nil, want an error: no grant is left")
	}
	unknown := `{"books":{"grants":[{"number":1,"client":"` + ci.ClientID + `","user":"nobody"}]}}`
	if err := s.Restore([]byte(unknown)); err != nil {
		t.Errorf("Restore(unknown user) = %v, want nil", err)
	}
}

func FuzzForms(f *testing.F) {
	for _, path := range []string{xapi.PathToken, xapi.PathRevoke, xapi.PathAppToken, xapi.PathInvalidate, xapi.PathAuthorize} {
		f.Add(path, "a=b", exchangeForm("x").Encode(), "Basic eDp5")
	}
	f.Add(xapi.PathAuthorize, authorizeQuery(ci).Encode(), "", "")
	f.Add(xapi.PathToken, "%zz&;", refreshForm("\x00").Encode(), "Basic %%%")
	f.Add(xapi.PathMe, "user.fields=,,", "", "Bearer x")
	f.Fuzz(func(t *testing.T, path, query, body, authorization string) {
		s := fake(t, func(k *xapi.Knobs) { k.Authorize.Ask = true })
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			req := request(t, method, "https://api.x.com/", body)
			req.URL.Path, req.URL.RawQuery = path, query
			if path == xapi.PathAuthorize {
				req.URL.Host, req.Host = "x.com", "x.com"
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header["Authorization"] = []string{authorization}
			got := do(t, s, req)
			if got.status < 200 || got.status > 499 {
				t.Errorf("%s %q?%q = %d", method, path, query, got.status)
			}
			if got.status == http.StatusOK && strings.Contains(got.body, "access_token") {
				t.Errorf("%s %q?%q gave a token away", method, path, query)
			}
		}
	})
}

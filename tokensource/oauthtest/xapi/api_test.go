package xapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const (
	unauthorized = `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`
	forbidden    = `{"title":"Forbidden","type":"about:blank","status":403,"detail":"Forbidden"}`
	elsewhereURL = "https://api.x.com" + xapi.PathRedirect
)

func TestOneBearer(t *testing.T) {
	s := fake(t, func(k *xapi.Knobs) { k.API.Limit = -1 })
	tok := issue(t, s, ci)
	tests := []struct {
		name   string
		target string
		header []string
		ok     bool
	}{
		{"Bearer", meURL, []string{"Bearer " + tok.Access}, true},
		{"lower case", meURL, []string{"bearer " + tok.Access}, true},
		{"none", meURL, nil, false},
		{"two", meURL, []string{"Bearer " + tok.Access, "Bearer " + tok.Access}, false},
		{"Basic", meURL, []string{"Basic " + tok.Access}, false},
		{"refresh token", meURL, []string{"Bearer " + tok.Refresh}, false},
		{"garbage", meURL, []string{"Bearer x"}, false},
		{"two spaces", meURL, []string{"Bearer  " + tok.Access}, false},
		{"query", meURL + "?access_token=" + tok.Access, nil, false},
		{"query and header", meURL + "?access_token=" + tok.Access, []string{"Bearer " + tok.Access}, false},
	}
	for _, tt := range tests {
		req := request(t, http.MethodGet, tt.target, "")
		req.Header["Authorization"] = tt.header
		got := do(t, s, req)
		if tt.ok && got.status != http.StatusOK {
			t.Errorf("%s: status = %d, want 200", tt.name, got.status)
		}
		if !tt.ok {
			wantAnswer(t, tt.name, got, http.StatusUnauthorized, unauthorized)
			if got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: header = %v", tt.name, got.header)
			}
		}
	}
}

func TestExpiredAndKnobs(t *testing.T) { synctest.Test(t, checkExpiredAndKnobs) }

func checkExpiredAndKnobs(t *testing.T) {
	s := fake(t, nil)
	me := func(token string) answered { return call(t, s, http.MethodGet, meURL, token, "") }
	token := issue(t, s, ci).Access
	s.Advance(2*time.Hour - time.Millisecond)
	if got := me(token).status; got != http.StatusOK {
		t.Errorf("just before expiry = %d, want 200", got)
	}
	s.Advance(time.Millisecond)
	wantAnswer(t, "expired", me(token), http.StatusUnauthorized, unauthorized)
	first, other := issue(t, s, ci), issue(t, s, na)
	s.ExpireAccess("nobody")
	if got := me(first.Access).status; got != http.StatusOK {
		t.Errorf("ExpireAccess(nobody): GET me = %d, want 200", got)
	}
	s.ExpireAccess(userID)
	wantAnswer(t, "ExpireAccess", me(first.Access), http.StatusUnauthorized, unauthorized)
	other = parseTokens(t, refresh(t, s, na, other.Refresh))
	s.ExpireAccess("")
	wantAnswer(t, "ExpireAll", me(other.Access), http.StatusUnauthorized, unauthorized)
	parseTokens(t, refresh(t, s, ci, first.Refresh))

	s.Set(func(k *xapi.Knobs) {
		k.API.ErrorStyle = xapi.StyleV1
		k.Challenge = `Bearer error="invalid_token"`
		k.RejectStatus = http.StatusForbidden
	})
	got := me("x")
	wantAnswer(t, "v1", got, http.StatusForbidden, `{"errors":[{"code":89,"message":"Invalid or expired token"}]}`)
	if v := got.header.Get("WWW-Authenticate"); v != `Bearer error="invalid_token"` {
		t.Errorf("WWW-Authenticate = %q", v)
	}
	s.Set(func(k *xapi.Knobs) { k.API.ErrorStyle = xapi.StyleText })
	wantAnswer(t, "text", me("x"), http.StatusForbidden, "Unauthorized")
}

func TestScopes(t *testing.T) {
	tests := []struct {
		method, target, scopes string
		status                 int
	}{
		{http.MethodGet, meURL, "users.read tweet.read", http.StatusOK},
		{http.MethodGet, meURL, "users.read", http.StatusForbidden},
		{http.MethodGet, meURL, "tweet.read", http.StatusForbidden},
		{http.MethodPost, tweetsURL, "tweet.read tweet.write users.read", http.StatusCreated},
		{http.MethodPost, tweetsURL, "tweet.write users.read", http.StatusForbidden},
		{http.MethodPost, tweetsURL, "tweet.read users.read", http.StatusForbidden},
		{http.MethodGet, tweetsURL, "tweet.read users.read", http.StatusOK},
		{http.MethodGet, tweetsURL, "tweet.read", http.StatusForbidden},
		{http.MethodGet, echoURL, "tweet.read", http.StatusOK},
		{http.MethodDelete, meURL, "tweet.read", http.StatusMethodNotAllowed},
	}
	for _, tt := range tests {
		s := fake(t, nil)
		token := issue(t, s, ci, strings.Fields(tt.scopes)...).Access
		body := ""
		if tt.method == http.MethodPost {
			body = `{"text":"hello"}`
		}
		got := call(t, s, tt.method, tt.target, token, body)
		if got.status != tt.status || got.status == http.StatusForbidden && got.body != forbidden {
			t.Errorf("%s %s with %s = %d %s, want %d", tt.method, tt.target, tt.scopes, got.status, got.body, tt.status)
		}
	}
}

func TestEnrolmentAndCredits(t *testing.T) {
	s := fake(t, func(k *xapi.Knobs) { k.API.NotEnrolled = true })
	got := call(t, s, http.MethodGet, meURL, issue(t, s, ci).Access, "")
	if got.status != http.StatusForbidden || !strings.Contains(got.body, `"reason":"client-not-enrolled"`) ||
		!strings.Contains(got.body, `{"client_id":"`+ci.ClientID+`","detail":"`) {
		t.Errorf("NotEnrolled = %d %s, want client-not-enrolled", got.status, got.body)
	}
	s.Set(func(k *xapi.Knobs) { k.API.NotEnrolled, k.API.NoCredits = false, true })
	got = call(t, s, http.MethodGet, meURL, issue(t, s, na).Access, "")
	if got.status != http.StatusPaymentRequired || !strings.Contains(got.body, `/problems/credits-depleted"`) {
		t.Errorf("NoCredits = %d %s, want 402", got.status, got.body)
	}
}

func TestPosts(t *testing.T) {
	s := fake(t, nil)
	token := issue(t, s, ci).Access
	post := func(body string) answered { return call(t, s, http.MethodPost, tweetsURL, token, body) }
	wantAnswer(t, "post", post(`{"text":"one"}`), http.StatusCreated, `{"data":{"id":"1445880548472328192","text":"one"}}`)
	wantAnswer(t, "again", post(`{"text":"one"}`), http.StatusForbidden,
		`{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}`)
	post(`{"text":"two"}`)
	for _, bad := range []string{"", "{", `{"text":""}`, "\x00"} {
		if got := post(bad); got.status != http.StatusBadRequest {
			t.Errorf("post %q = %d, want 400", bad, got.status)
		}
	}
	st := s.State()
	if len(st.Posts) != 2 || st.PostAttempts != 7 || st.Posts[1].Text != "two" || st.Posts[1].UserID != userID {
		t.Errorf("State() = %+v, want two posts and seven attempts", st)
	}
	list := call(t, s, http.MethodGet, tweetsURL, token, "")
	wantAnswer(t, "list", list, http.StatusOK,
		`{"data":[{"id":"1445880548472328193","text":"two"},{"id":"1445880548472328192","text":"one"}],"meta":{"result_count":2}}`)
	list = call(t, s, http.MethodGet, tweetsURL+"?ids=1445880548472328192,9", token, "")
	wantAnswer(t, "ids", list, http.StatusOK, `{"data":[{"id":"1445880548472328192","text":"one"}],"meta":{"result_count":1}}`)
}

func TestRateLimits(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	s := xapi.New(t, &oauthtest.Options{Clock: func() time.Time { return begin }})
	token := issue(t, s, ci).Access
	me := func() answered { return call(t, s, http.MethodGet, meURL, token, "") }
	check := func(what string, got answered, status int, limit, remaining, reset string) {
		t.Helper()
		h := []string{got.header.Get("x-rate-limit-limit"), got.header.Get("x-rate-limit-remaining"), got.header.Get("x-rate-limit-reset")}
		if got.status != status || h[0] != limit || h[1] != remaining || h[2] != reset {
			t.Errorf("%s = %d %v, want %d [%s %s %s]", what, got.status, h, status, limit, remaining, reset)
		}
	}
	check("first", me(), 200, "75", "74", "1800000900")
	s.Advance(time.Minute)
	for range 73 {
		me()
	}
	check("last", me(), 200, "75", "0", "1800000900")
	exhausted := me()
	check("exhausted", exhausted, 429, "75", "0", "1800000900")
	wantAnswer(t, "exhausted", exhausted, 429, `{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}`)
	if exhausted.header.Get("Retry-After") != "" {
		t.Error("Retry-After was sent, X sends none")
	}
	check("401", call(t, s, http.MethodGet, meURL, "x", ""), 401, "75", "75", "1800000960")
	if used := s.State().RateUsed["user "+userID+" GET /2/users/me"]; used != 75 {
		t.Errorf("RateUsed = %d, want 75", used)
	}
	s.Set(func(k *xapi.Knobs) {
		k.API.LimitStyle, k.API.RetryAfter, k.API.ResetSkew, k.ClockSkew = xapi.StyleV1, 90*time.Second, time.Second, time.Hour
	})
	got := me()
	check("skewed", got, 429, "75", "0", "1800004501")
	wantAnswer(t, "v1", got, 429, `{"errors":[{"code":88,"message":"Rate limit exceeded"}]}`)
	if v := got.header.Get("Retry-After"); v != "90" {
		t.Errorf("Retry-After = %q, want 90", v)
	}
	s.Set(func(k *xapi.Knobs) { k.API.LimitStyle, k.API.OmitHeaders = xapi.StyleText, true })
	got = me()
	wantAnswer(t, "text", got, 429, "Rate limit exceeded")
	check("without headers", got, 429, "", "", "")
	s.Advance(15 * time.Minute)
	if got := me().status; got != http.StatusOK {
		t.Errorf("after the window = %d, want 200", got)
	}
}

func TestDailyLimits(t *testing.T) {
	for _, limits := range [][2]int{{1, 0}, {0, 1}} {
		s := fake(t, func(k *xapi.Knobs) { k.API.DailyUserLimit, k.API.DailyAppLimit = limits[0], limits[1] })
		token := issue(t, s, ci).Access
		me := func() answered { return call(t, s, http.MethodGet, meURL, token, "") }
		me()
		got := me()
		family := "x-user-limit-24hour-"
		if limits[1] > 0 {
			family = "x-app-limit-24hour-"
		}
		if got.status != 429 || got.header.Get(family+"remaining") != "0" || got.header.Get(family+"limit") != "1" ||
			got.header.Get("x-rate-limit-remaining") == "0" {
			t.Errorf("daily limits %v: %d %v, want 429 though the short window has requests left", limits, got.status, got.header)
		}
		s.Advance(24 * time.Hour)
		token = issue(t, s, ci).Access
		if got := me().status; got != http.StatusOK {
			t.Errorf("daily limits %v: the next day = %d, want 200", limits, got)
		}
	}
	s := fake(t, func(k *xapi.Knobs) { k.API.Limit, k.API.Window = 2, time.Second })
	token := issue(t, s, ci).Access
	for _, want := range []int{200, 200, 429} {
		if got := call(t, s, http.MethodGet, echoURL, token, "").status; got != want {
			t.Errorf("Limit 2: %d, want %d", got, want)
		}
	}
	s.Set(func(k *xapi.Knobs) { k.API.Limit = -1 })
	if got := call(t, s, http.MethodGet, echoURL, token, "").status; got != http.StatusOK {
		t.Errorf("no limit: %d, want 200", got)
	}
}

type echoed struct {
	Method           string `json:"method"`
	Length           int64  `json:"length"`
	SHA256           string `json:"sha256"`
	ContentLength    int64  `json:"content_length"`
	TransferEncoding string `json:"transfer_encoding"`
	Expect           string `json:"expect"`
}

func TestEchoTellsWhatArrived(t *testing.T) {
	s := fake(t, nil)
	token := issue(t, s, ci).Access
	live := listen(t, s)
	big := strings.Repeat("0123456789", 300_000)
	for base, rt := range map[string]http.RoundTripper{"https://api.x.com": s.Transport(), live.URL: live.Client().Transport} {
		for _, body := range []string{"", "hello", big} {
			for _, streamed := range []bool{false, true} {
				req := request(t, http.MethodPut, base+xapi.PathEcho, body)
				if streamed {
					req.Body, req.ContentLength, req.GetBody = io.NopCloser(strings.NewReader(body)), -1, nil
				}
				req.Header.Set("Authorization", "Bearer "+token)
				req.Header.Set("Expect", "100-continue")
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				var got echoed
				err = json.NewDecoder(resp.Body).Decode(&got)
				resp.Body.Close()
				sum := sha256.Sum256([]byte(body))
				want := echoed{"PUT", int64(len(body)), hex.EncodeToString(sum[:]), int64(len(body)), "", "100-continue"}
				if streamed {
					want.ContentLength, want.TransferEncoding = -1, "chunked"
				}
				if err != nil || got != want {
					t.Errorf("echo at %s, streamed %v = %+v, %v, want %+v", base, streamed, got, err, want)
				}
			}
		}
	}
}

func TestRejectedRequestsAreReadFirst(t *testing.T) {
	for _, early := range []bool{false, true} {
		s := fake(t, func(k *xapi.Knobs) { k.EarlyReject = early })
		body := &tracked{Reader: strings.NewReader("0123456789")}
		req := request(t, http.MethodPost, echoURL, "")
		req.Body = body
		if got := do(t, s, req).status; got != http.StatusUnauthorized {
			t.Errorf("status = %d, want 401", got)
		}
		if (body.read == 10) == early || body.closed != 1 {
			t.Errorf("EarlyReject %v: read %d bytes, closed %d times", early, body.read, body.closed)
		}
	}
}

// tracked is a body that counts.
type tracked struct {
	io.Reader
	read, closed int
}

func (b *tracked) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *tracked) Close() error {
	b.closed++
	return nil
}

func TestRedirect(t *testing.T) {
	s := fake(t, nil)
	token := issue(t, s, ci).Access
	for query, status := range map[string]int{"": 302, "?status=307": 307, "?status=999": 302} {
		got := call(t, s, http.MethodGet, elsewhereURL+query, token, "")
		if got.status != status || got.header.Get("Location") != "https://elsewhere.test/landing" {
			t.Errorf("redirect%s = %d %q", query, got.status, got.header.Get("Location"))
		}
	}
	stranger, err := xapi.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range []bool{false, true} {
		req := request(t, http.MethodGet, "https://elsewhere.test/landing", "")
		if leak {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		if got := do(t, stranger, req); got.status != http.StatusOK {
			t.Errorf("stranger = %d, want 200", got.status)
		}
		last := stranger.Requests()[len(stranger.Requests())-1]
		if !last.Foreign || (last.Raw().Header.Get("Authorization") != "") != leak || (stranger.Audit() != nil) != leak {
			t.Errorf("leak %v: recorded %v, Audit() = %v", leak, last, stranger.Audit())
		}
	}
}

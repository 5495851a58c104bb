package xapi

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The paths that a Server answers. All but PathAuthorize are at api.x.com.
const (
	PathAuthorize  = "/i/oauth2/authorize"      // the page in the browser, at x.com
	PathToken      = "/2/oauth2/token"          // codes and refresh tokens
	PathRevoke     = "/2/oauth2/revoke"         // RFC 7009
	PathAppToken   = "/oauth2/token"            // app-only bearer tokens
	PathInvalidate = "/oauth2/invalidate_token" // and their end
	PathMe         = "/2/users/me"              // who the user is
	PathTweets     = "/2/tweets"                // GET lists posts, POST creates one
	PathStream     = "/2/tweets/search/stream"  // JSON lines without end
	PathEcho       = "/2/echo"                  // test helper: what arrived, as JSON, with the body's SHA-256
	PathRedirect   = "/2/redirect"              // test helper: redirects to API.RedirectTo; ?status=307 for another status
)

// Server is the fake of X. It is safe for concurrent use. Use [New] in tests
// and [NewServer] elsewhere.
type Server struct {
	*oauthtest.Server

	mu       sync.Mutex // guards what follows; never held across a wait or I/O
	knobs    Knobs      // only API is used
	last     time.Time  // of the latest request to the API
	bearers  []*bearer  // the live app-only bearer of each app
	buckets  map[bucketKey]*bucket
	posts    []Post
	attempts int // POST requests to PathTweets with a valid token
	nextPost int
}

// NewServer returns a Server that serves nothing until it is asked. Options are
// those of oauthtest. Provider is provider.X if it is nil; what describes the
// server beyond that is X's, whatever the options say.
func NewServer(o *oauthtest.Options) (*Server, error) {
	var options oauthtest.Options
	if o != nil {
		options = *o
	}
	if options.Provider == nil {
		options.Provider = provider.X()
	}
	s := &Server{buckets: map[bucketKey]*bucket{}, nextPost: 1445880548472328192}
	options.DefaultScopes = []string{"tweet.read", "tweet.write", "users.read", "offline.access"}
	options.CodeTTL = 30 * time.Second
	options.RequireState, options.RequirePKCE, options.RequireHint = true, true, true
	options.JSONBodies = true
	options.MaxRedirectURLs, options.ForbiddenSchemes = 10, forbiddenSchemes
	options.Aliases = map[string]string{"twitter.com": "x.com", "api.twitter.com": "api.x.com"}
	options.DescribeScope = inWords
	options.Handle, options.Answer, options.Stamp = s.handle, words, stamp
	var err error
	s.Server, err = oauthtest.NewServer(&options)
	return s, err
}

// New is [NewServer] for a test. Wrong options end the test. When the test
// ends, Close must report nothing.
func New(t testing.TB, o *oauthtest.Options) *Server {
	t.Helper()
	s, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// forbiddenSchemes are those that X lists as disallowed in callback URLs.
var forbiddenSchemes = []string{
	"vbscript", "javascript", "vbs", "data", "mocha", "keyword", "livescript", "ftp", "file", "gopher", "acrobat", "callto",
	"daap", "itpc", "itms", "firefoxurl", "hcp", "ldap", "mailto", "mmst", "mmsu", "msbd", "rtsp", "mso-offdap", "snews", "news",
	"nntp", "outlook", "stssync", "rlogin", "telnet", "tn3270", "shell", "sip",
}

// stamp adds what X sends with everything.
func stamp(h http.Header, seen oauthtest.Request) {
	h["Server"] = []string{"cloudflare envoy"}
	h["X-Transaction-Id"] = []string{strconv.FormatInt(seen.Number, 16)}
	h["Set-Cookie"] = []string{"guest_id=v1%3A" + strconv.FormatInt(seen.Number, 10) + "; Path=/; Secure; SameSite=None"}
}

var scopeWords = map[string]string{
	"tweet.read":           "See all the posts you can see",
	"tweet.write":          "Post and repost for you",
	"tweet.moderate.write": "Hide and unhide replies to your posts",
	"users.email":          "See your email address",
	"users.read":           "See any account you can see",
	"follows.read":         "See who you follow and who follows you",
	"follows.write":        "Follow and unfollow people for you",
	"offline.access":       "Stay connected to your account until you revoke access",
	"like.read":            "See the posts you like",
	"like.write":           "Like and unlike posts for you",
	"bookmark.read":        "See your bookmarks",
	"bookmark.write":       "Add and remove bookmarks for you",
	"dm.read":              "See your direct messages",
	"dm.write":             "Send direct messages for you",
	"media.write":          "Upload media for you",
}

// inWords says on the consent page what a scope allows.
func inWords(scope string) string {
	if words, ok := scopeWords[scope]; ok {
		return words
	}
	area, power, _ := strings.Cut(scope, ".")
	if power == "read" || power == "write" {
		return strings.ToUpper(power[:1]) + power[1:] + " access to: " + area
	}
	return scope
}

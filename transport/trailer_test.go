package transport_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/transport"
)

// trailing is a body that sets trailers when it ends, as a program may do.
type trailing struct {
	io.Reader
	set func()
}

func (b trailing) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.set()
	}
	return n, err
}

// A trailer named Authorization would be a second credential. It does not go
// out, and other trailers do, also those of a replay and of a proof.
func TestT2_TrailersNamedAuthorizationAreLeftOut(t *testing.T) {
	var got []http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		got = append(got, req.Trailer.Clone())
		if len(got) == 1 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	rt := newTransport(t, newSource(), server.Client().Transport, transport.Options{Origins: []string{server.URL}})
	trailer := http.Header{"Authorization": {"Basic mine"}, "authorization": nil, "X-Sum": nil}
	req := newRequest(t, "POST", server.URL, trailing{strings.NewReader("body"), func() {
		trailer["authorization"] = []string{"Basic mine too"}
		trailer["AUTHORIZATION"] = []string{"Basic mine as well"}
		trailer["X-Sum"] = []string{"42"}
	}})
	req.Trailer = trailer
	if status, _ := roundTrip(t, rt, req); status != 200 {
		t.Fatalf("RoundTrip = %d, want 200", status)
	}
	want := http.Header{"X-Sum": {"42"}}
	if !reflect.DeepEqual(got, []http.Header{want, want}) {
		t.Errorf("the server got trailers %v, want %v twice", got, want)
	}
	if len(trailer) != 4 || trailer.Get("Authorization") != "Basic mine" {
		t.Errorf("the caller's trailers are now %v, want all four", trailer)
	}
}

// A request to another origin keeps its trailers, and a request without a body
// has none.
func TestT2_TrailersElsewhere(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want int
	}{{"https://elsewhere.example", 1}, {api, 0}} {
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			if len(req.Trailer) != tt.want || req.Body != nil {
				t.Errorf("%s was sent with the trailers %v and the body %v, want %d trailers and no body", tt.url, req.Trailer, req.Body, tt.want)
			}
			return response(req, 200, nil, ""), nil
		})
		req := newRequest(t, "GET", tt.url, nil)
		req.Trailer = http.Header{"Authorization": {"Basic mine"}}
		roundTrip(t, newTransport(t, newSource(), base, transport.Options{}), req)
	}
}

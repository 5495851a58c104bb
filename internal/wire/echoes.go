package wire

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Echoes returns the answers of a server that repeats secrets in every part of
// an answer: with each status, in the body, the headers and the media type.
// Some of the faults are no answers, but failures of the connection.
func Echoes(secrets ...string) []oauthtest.Fault {
	echo := strings.Join(secrets, " ")
	body := `{"error":"` + echo + `","error_description":"` + echo + `","error_uri":"https://as.example/?` + echo + `"}`
	header := http.Header{"Location": {"https://elsewhere.test/?" + url.QueryEscape(echo)}, "Retry-After": {"60"}, "Www-Authenticate": {echo}}
	const json = "application/json"
	var faults []oauthtest.Fault
	for _, status := range []int{200, 201, 302, 307, 400, 401, 403, 404, 429, 500, 503} {
		faults = append(faults,
			oauthtest.Fault{Status: status, Body: body, ContentType: json, Header: header},
			oauthtest.Fault{Status: status, Body: echo, Header: header},
			oauthtest.Fault{Status: status, Body: `{"access_token":"` + echo + `"}`, ContentType: json},
			oauthtest.Fault{Status: status, Body: `{"` + echo + `":1,"` + echo + `":2}`, ContentType: json},
			oauthtest.Fault{Status: status, Body: echo, ContentType: echo},
		)
	}
	return append(faults, oauthtest.Fault{Drop: true}, oauthtest.Fault{Reset: true}, oauthtest.Fault{BadCertificate: true})
}

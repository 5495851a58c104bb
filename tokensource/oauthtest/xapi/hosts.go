package xapi

import (
	"net/http"
	"strings"
)

// Hosts of X other than api.x.com, whose API is not played. They answer 401
// without a token, as X does, and describe a request that has one.
const (
	hostAds    = "ads-api.x.com"
	hostUpload = "upload.x.com"
)

// elsewhere returns what a request to one of these hosts needs, and whether r
// is one.
func elsewhere(r *http.Request) (endpoint, bool) {
	var scope string
	switch strings.TrimSuffix(strings.ToLower(r.Host), ":443") {
	case hostUpload:
		scope = "media.write"
	case hostAds:
		scope = "ads.write"
		if r.Method == http.MethodGet {
			scope = "ads.read"
		}
	default:
		return endpoint{}, false
	}
	return endpoint{scopes: []string{scope}, userOnly: true, serve: (*visit).echo}, true
}

package xapi

import "net/http"

// Hosts of X other than api.x.com, whose API is not played. They answer 401
// without a token, as X does, and describe a request that has one.
const (
	hostAds    = "ads-api.x.com"
	hostUpload = "upload.x.com"
)

var otherHosts = []string{hostAds, hostUpload}

// elsewhere returns what a request to one of the otherHosts needs.
func elsewhere(host, method string) endpoint {
	scope := "media.write"
	if host == hostAds {
		scope = "ads.write"
		if method == http.MethodGet {
			scope = "ads.read"
		}
	}
	return endpoint{scopes: []string{scope}, userOnly: true, serve: (*visit).echo}
}

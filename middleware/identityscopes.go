package middleware

import (
	"fmt"
	"slices"
	"strings"
)

// checkScopes refuses scopes with which the provider would not say who the user
// is. Such a login would fail each time, after the user has consented. An empty
// list is not refused: the server then chooses the scopes. Where ID tokens say
// who the user is, IdentityURL is not needed, and the scope openid is.
func (l *login) checkScopes(scopes []string) error {
	if !l.asks || len(scopes) == 0 {
		return nil
	}
	var missing []string
	for _, scope := range l.client.Provider().IdentityScopes {
		if !slices.Contains(scopes, scope) && (l.client.IDTokens() == nil || scope == "openid") {
			missing = append(missing, scope)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("middleware: without the scopes %s the provider does not say who the user is: "+
		"ask for them, or set Options.Identify", strings.Join(missing, " and "))
}

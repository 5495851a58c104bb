package provider

// An Identity says which user a token is for. Only Subject identifies the user:
// it is unique at this provider, never changes and is never empty. Everything
// that is not Subject may change and is for display.
type Identity struct {
	Subject  string
	Username string
	Name     string
	Picture  string // a URL

	// Claims are more facts that ParseIdentity has chosen, or a verifier of ID
	// tokens, such as an e-mail address. They are stored with the login.
	Claims map[string]string
}

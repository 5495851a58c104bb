package oauthtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// refusal returns the answer of this server to an operation whose credential is
// not good any more, or the answer to topic.
func (c *call) refusal(op, topic string) *reply {
	if rep := c.refused(op); rep != nil {
		return rep
	}
	return c.say(topic, "")
}

// refused returns the first one of Provider.Refusals which means that the user
// can fix it, or nil.
func (c *call) refused(op string) *reply {
	for _, r := range c.s.provider.Refusals {
		ops := r.Ops
		if ops == nil {
			ops = []string{"exchange", "refresh"}
		}
		if r.Fixer == provider.UserCanFix && slices.Contains(ops, op) {
			return shaped(cmp.Or(r.Status, http.StatusBadRequest), r.Where)
		}
	}
	return nil
}

// shaped returns an answer that has members at paths.
func shaped(status int, where map[string]string) *reply {
	var body any = map[string]any{}
	for _, path := range sortedKeys(where) {
		body = put(body, strings.Split(path, "."), literal(strings.TrimSuffix(where[path], "*")))
	}
	rep := answerJSON(body)
	rep.status = status
	return rep
}

// literal returns a text as the JSON value that is written like it.
func literal(text string) any {
	if _, err := strconv.ParseFloat(text, 64); err == nil || text == "true" || text == "false" {
		return json.RawMessage(text)
	}
	return text
}

// put sets the value at a path, and makes what is missing on the way: lists
// where the path has a position, and otherwise objects.
func put(into any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if i, err := strconv.Atoi(path[0]); err == nil {
		list, _ := into.([]any)
		for len(list) <= i {
			list = append(list, nil)
		}
		list[i] = put(list[i], path[1:], value)
		return list
	}
	object, _ := into.(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	object[path[0]] = put(object[path[0]], path[1:], value)
	return object
}

func sortedKeys(m map[string]string) []string {
	var list []string
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// sampled is the success answer in the words of Provider.TokenSample.
func (c *call) sampled(accessToken, refreshToken string, scopes []string, ttl time.Duration) *reply {
	var body any
	if json.Unmarshal(c.s.provider.TokenSample, &body) != nil {
		return newReply(http.StatusInternalServerError, typeText, "Provider.TokenSample is no JSON\n")
	}
	separator := cmp.Or(c.s.provider.ScopeSeparator, " ")
	values := map[string]any{
		"{access_token}": accessToken, "{refresh_token}": refreshToken, "{user}": literal(c.rec.UserID),
		"{scope}": strings.Join(shuffled(scopes), separator), "{expires_in}": int64(ttl / time.Second),
		"{expires_at}": c.s.now().Add(ttl).UTC().Format(time.RFC3339), "{expires_unix}": c.s.now().Add(ttl).Unix(),
	}
	return answerJSON(filled(body, values, scopes))
}

// filled replaces the places in a sample. A member whose value does not exist
// is left out. A list with the place of the scopes becomes a list of them.
func filled(sample any, values map[string]any, scopes []string) any {
	switch v := sample.(type) {
	case string:
		if value, ok := values[v]; ok {
			return value
		}
	case []any:
		if len(v) == 1 && v[0] == "{scope}" {
			return scopes
		}
		for i := range v {
			v[i] = filled(v[i], values, scopes)
		}
	case map[string]any:
		for name, member := range v {
			if member == "{refresh_token}" && values["{refresh_token}"] == "" || member == "{access_token}" && values["{access_token}"] == "" {
				delete(v, name)
				continue
			}
			v[name] = filled(member, values, scopes)
		}
	}
	return sample
}

// described returns the answer of the identity endpoint: the user, at the paths
// of the Provider. A subject of several parts ends with the ID of the user.
func (c *call) described(user User) *reply {
	asked, paths := c.s.provider.IdentityRequest, c.s.provider.IdentityPaths
	for name, values := range asked.Header {
		if !slices.Equal(c.r.Header[name], values) && !strings.Contains(strings.Join(values, ""), "{client_id}") {
			return newReply(http.StatusBadRequest, typeText, "the header "+name+" is missing\n")
		}
	}
	if c.r.Method != cmp.Or(asked.Method, http.MethodGet) {
		return c.say("method", asked.Method)
	}
	var body any = map[string]any{}
	for i, path := range paths.Subject {
		var value any = user.ID
		if c.s.provider.ParseIdentity == nil {
			value = literal(user.ID) // as a number, if it can be one
		}
		if i < len(paths.Subject)-1 {
			value = "part-" + strconv.Itoa(i)
		}
		body = put(body, strings.Split(path, "."), value)
	}
	for path, value := range map[string]string{paths.Username: user.Username, paths.Name: user.Name} {
		if path != "" && !slices.Contains(paths.Subject, path) {
			body = put(body, strings.Split(path, "."), value)
		}
	}
	if path := paths.Claims["email"]; path != "" && user.Email != "" {
		body = put(body, strings.Split(path, "."), user.Email)
	}
	return answerJSON(body)
}

// apiToken returns the access token of a request to the API, from the header in
// which this server wants it.
func (c *call) apiToken() string {
	facts := c.s.provider.API
	if facts.TokenHeader == "" && facts.TokenScheme == "" {
		return bearerOf(c.r, c.query)
	}
	values := c.r.Header.Values(cmp.Or(facts.TokenHeader, "Authorization"))
	if len(values) != 1 {
		return ""
	}
	if facts.TokenScheme == "" {
		return values[0]
	}
	token, ok := strings.CutPrefix(values[0], facts.TokenScheme+" ")
	if !ok {
		return ""
	}
	return token
}

// unheaded refuses a request to the API without a header that it needs. The
// refusal does not reject the token. Nil means that nothing is missing.
func (c *call) unheaded(clientID string) *reply {
	for name, value := range c.s.provider.API.Headers {
		if want := strings.ReplaceAll(value, "{client_id}", clientID); c.r.Header.Get(name) != want {
			return newReply(http.StatusBadRequest, typeText, "the header "+name+" is missing or wrong\n")
		}
	}
	return nil
}

// rejection returns the answer with which this API rejects a token, if it has
// one of its own.
func (c *call) rejection() *reply {
	for _, a := range c.s.provider.API.Answers {
		if a.Rejected {
			return shaped(a.Status, a.Where)
		}
	}
	return nil
}

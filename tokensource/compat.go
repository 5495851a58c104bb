package tokensource

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/oauth2"
)

// Timeout reports whether the operation failed because its time was over: a
// deadline of the caller, or the limit of one request. A *url.Error asks this
// method, so that the Timeout method of an error of http.Client is right too.
func (e *Error) Timeout() bool {
	if errors.Is(e.Err, context.DeadlineExceeded) {
		return true
	}
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// As lets errors.As and errors.AsType find an *oauth2.RetrieveError, for
// programs that were written for golang.org/x/oauth2. There is one if the
// authorization server has answered a token request. It has the status and the
// error code. It has no body and no headers, since these could contain secrets.
func (e *Error) As(target any) bool {
	retrieve, ok := target.(**oauth2.RetrieveError)
	if !ok || e.Status == 0 && e.Code == "" {
		return false
	}
	switch e.Op {
	case "identity", "revoke", "load", "store":
		return false
	}
	*retrieve = &oauth2.RetrieveError{
		Response:  &http.Response{StatusCode: e.Status, Status: http.StatusText(e.Status), Body: http.NoBody},
		ErrorCode: e.Code, ErrorDescription: e.Description,
	}
	return true
}

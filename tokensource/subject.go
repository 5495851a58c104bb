package tokensource

import "context"

// An Owner is what a subject belongs to: one client of one authorization
// server. Another server may give the same identifier to another user. So a
// [Source] accepts only the subjects of its own Owner (M8). Package grant sets
// it: use the WithSubject and Subject methods of its Keeper.
type Owner struct {
	Authority string // the issuer of the server; its token endpoint without an issuer
	ClientID  string
}

// subject is one subject of a context. The list ends with nil.
type subject struct {
	owner Owner
	name  string
	next  *subject
}

type subjectKey struct{}

// WithSubject returns a context that names a subject of owner: the user, as the
// authorization server names the user. A [Source] of that owner supplies the
// token of the subject. So one http.Client serves every user. The context keeps
// the subjects of other owners, so that two logins can be stacked. An empty
// name means that the context names no subject of owner.
func WithSubject(ctx context.Context, owner Owner, name string) context.Context {
	return context.WithValue(ctx, subjectKey{}, &subject{owner, name, subjects(ctx).without(owner)})
}

// SubjectFrom returns the subject of owner that [WithSubject] put into ctx, and
// whether there is one.
func SubjectFrom(ctx context.Context, owner Owner) (string, bool) {
	for s := subjects(ctx); s != nil; s = s.next {
		if s.owner == owner {
			return s.name, s.name != ""
		}
	}
	return "", false
}

// HasSubject reports whether ctx names a subject of any owner.
func HasSubject(ctx context.Context) bool {
	for s := subjects(ctx); s != nil; s = s.next {
		if s.name != "" {
			return true
		}
	}
	return false
}

func subjects(ctx context.Context) *subject {
	s, _ := ctx.Value(subjectKey{}).(*subject)
	return s
}

// without returns the list without the subject of owner. A list never changes:
// other contexts use it as well.
func (s *subject) without(owner Owner) *subject {
	switch {
	case s == nil:
		return nil
	case s.owner == owner:
		return s.next
	}
	return &subject{s.owner, s.name, s.next.without(owner)}
}

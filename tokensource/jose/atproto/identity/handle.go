package identity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource"
)

// DNS looks up TXT records. A *net.Resolver is one.
type DNS interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// lookUp returns the DID that the owner of a handle's domain names, by a TXT
// record or by a file ([handle resolution]). The record comes first.
//
// [handle resolution]: https://atproto.com/specs/handle#handle-resolution
func (r *Resolver) lookUp(ctx context.Context, handle string) (string, error) {
	did, err := r.byRecord(ctx, handle)
	if did != "" || errors.Is(err, ErrHandle) {
		return did, err
	}
	body, fileErr := r.follow(ctx, "https://"+handle+"/.well-known/atproto-did", 2048)
	if fileErr != nil {
		if errors.Is(err, tokensource.ErrTemporary) {
			return "", err // the record may say more later
		}
		return "", fileErr
	}
	did = strings.TrimSpace(string(body))
	if checkDID(did) != nil {
		return "", fmt.Errorf("%w: the file of %s names no DID", ErrNotFound, handle)
	}
	return did, nil
}

// byRecord returns the DID of the TXT record, or "".
func (r *Resolver) byRecord(ctx context.Context, handle string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	records, err := r.dns.LookupTXT(ctx, "_atproto."+handle)
	if err != nil {
		if gone, ok := errors.AsType[*net.DNSError](err); ok && gone.IsNotFound {
			return "", nil
		}
		return "", fmt.Errorf("identity: the TXT record of %s: %w", handle, &unanswered{err})
	}
	var dids []string
	for _, record := range records {
		did, ok := strings.CutPrefix(record, "did=")
		if ok && checkDID(did) == nil && !slices.Contains(dids, did) {
			dids = append(dids, did)
		}
	}
	switch len(dids) {
	case 0:
		return "", nil
	case 1:
		return dids[0], nil
	}
	return "", fmt.Errorf("%w: the records of %s name several", ErrHandle, handle)
}

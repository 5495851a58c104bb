package format

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration returns the length of time that a text names: a number of days, such
// as "90d", or what package time reads, such as "8h". An empty text is zero.
func Duration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if count, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(count, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	long, err := time.ParseDuration(s)
	if err == nil && long <= 0 {
		err = fmt.Errorf("%q is not longer than zero", s)
	}
	return long, err
}

package storagetest

import "time"

// SetHangs changes when the suite reports that a method hangs.
func SetHangs(d time.Duration) { hangs = d }

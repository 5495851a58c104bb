// Package browsers tests logins in Chromium and behind nginx, where package
// middleware depends on what those two do. It has no program.
package browsers

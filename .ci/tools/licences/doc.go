// Package licences tests under which licence each module comes that is built
// into a program, a test or a benchmark of this repository.
//
// The tools in .ci/tools are not looked at: they run here, and no part of them
// is in what users build. The package holds tests only.
package licences

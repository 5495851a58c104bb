// Package house tests rules that no compiler checks, over all modules of the
// workspace.
//
//   - Packages import each other in one direction only, as one table states.
//   - The rules of the lease protocol are pure functions.
//   - A package exports a limited number of names.
//   - A file of the product has a limited number of lines.
//   - Comments use plain words and are wrapped at 80 columns.
//   - The comment of a package says what it is for and begins with code that
//     names what exists, and each package has an Example.
//
// The package holds tests only. Each prints every place that breaks its rule.
package house

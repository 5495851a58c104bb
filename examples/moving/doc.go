// Package moving shows programs before and after they moved to authtrip. Each
// file is one library, or a solution of one's own, that people come from. The
// page docs/coming-from.md explains them.
package moving

// Program release makes the commit of a release and prints its tags:
//
//	release [-C FOLDER] vX.Y.Z
//
// It writes the version into the requirements of all modules of the tree, puts
// their hashes into each go.sum, and commits that. Then it prints the tags that
// belong to the commit, one a line. It creates no tag and pushes nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/.ci/tools/internal/modtree"
)

func main() {
	root := flag.String("C", ".", "the root folder of the tree")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: release [-C FOLDER] vX.Y.Z")
		os.Exit(2)
	}
	if err := Run(context.Background(), *root, flag.Arg(0), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var (
	// ErrChanges says that the tree has changes that are not committed.
	ErrChanges = errors.New("the tree has changes that are not committed")
	// ErrTagged says that the version has a tag already.
	ErrTagged = errors.New("the version has been released")
)

// Run makes the commit of a release in the working tree at root and prints the
// tags to out. It changes nothing if it returns [ErrChanges], [ErrTagged] or an
// error of package modtree.
func Run(ctx context.Context, root, version string, out io.Writer) error {
	if err := silent(ctx, root, ErrChanges, "status", "--porcelain"); err != nil {
		return err
	}
	files, err := modtree.Tracked(ctx, root)
	if err != nil {
		return err
	}
	tree, err := modtree.Open(root, files)
	if err != nil {
		return err
	}
	release, err := compute(tree, version)
	if err != nil {
		return err
	}
	if err := silent(ctx, root, ErrTagged, append([]string{"tag", "--list"}, release.Tags...)...); err != nil {
		return err
	}
	if err := commit(ctx, root, release); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, strings.Join(release.Tags, "\n"))
	return err
}

// compute computes the release. Nobody needs the modules that this writes.
func compute(tree *modtree.Tree, version string) (*modtree.Release, error) {
	proxy, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	release, err := tree.Release(version, proxy)
	return release, errors.Join(err, os.RemoveAll(proxy))
}

// commit writes the changed files and commits them.
func commit(ctx context.Context, root string, release *modtree.Release) error {
	var names []string
	for name, data := range release.Files {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), data, 0o666); err != nil {
			return err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	if _, err := git(ctx, root, append([]string{"add", "--"}, names...)...); err != nil {
		return err
	}
	_, err := git(ctx, root, "commit", "--quiet", "--message", "release "+release.Version)
	return err
}

// silent returns the error refused if the git command prints anything.
func silent(ctx context.Context, root string, refused error, args ...string) error {
	out, err := git(ctx, root, args...)
	if err != nil {
		return err
	}
	if out != "" {
		return fmt.Errorf("%w:\n%s", refused, out)
	}
	return nil
}

// git runs git in root and returns what it printed, without the line break at
// its end.
func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

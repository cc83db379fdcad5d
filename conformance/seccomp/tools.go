//go:build tools

// Package tools names what this module exists to fetch.
package tools

import _ "github.com/moby/profiles/seccomp"

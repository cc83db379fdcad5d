// The profile that berth's default seccomp profile is compared with.
module berth.dev/conformance/seccomp

go 1.26.6

require github.com/moby/profiles/seccomp v0.3.0

require (
	github.com/opencontainers/runtime-spec v1.2.1 // indirect
	golang.org/x/sys v0.33.0 // indirect
)

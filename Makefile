# Two commands matter: `make demo` shows berth at work, `make test` proves it.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

NATIVE_SOURCES := $(shell find native/crates proto -name '*.rs' -o -name '*.toml' -o -name '*.proto' 2>/dev/null) native/Cargo.toml native/Cargo.lock

# Packages come first, whatever -j says.
.NOTPARALLEL:
.PHONY: demo test build install deb system-demo system-test bench conformance-cluster cluster cluster-down clean soak conformance-cri conformance-debian

demo: system-demo build
	node scripts/demo/main.ts

test: system-test build
	node scripts/test.ts

bench: system-test build
	node src/bench/main.ts

# The CRI suites in random order, REPEAT times; SEED repeats an order, CRITEST names a critest binary that is run, too.
conformance-cri: system-test build
	node conformance/cri/run/main.ts

# 24 pods for MINUTES (20): nothing may grow and nothing may be left.
soak: system-test build
	node conformance/soak/main.ts

conformance-cluster: system-test build
	node conformance/peers/build.ts
	vitest run --project cluster

# A Kubernetes of one node on berth, in the background until cluster-down.
cluster: system-test build
	node conformance/cluster/play.ts up

cluster-down:
	node conformance/cluster/play.ts down

# Debian 12 and 13 in virtual machines without KVM; MACHINE=bookworm or trixie: one of them.
conformance-debian: system-test deb
	@scripts/install-system.sh debian
	vitest run --project debian $(MACHINE)

build: node_modules/.installed build/native

PREFIX ?= /usr/local
DESTDIR ?=
install: build
	@scripts/install.sh "$(PREFIX)" "$(DESTDIR)"

deb: build
	@scripts/deb.sh

system-demo:
	@scripts/install-system.sh demo

system-test:
	@scripts/install-system.sh

node_modules/.installed: package.json package-lock.json
	@scripts/install-modules.sh
	@touch $@

build/native: $(NATIVE_SOURCES)
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.90 or newer (rustup, or apt-get install cargo-web)" >&2; exit 1; }
	@echo "building the native programs, which takes minutes the first time"
	@cd native && cargo build --release --quiet
	@mkdir -p build && touch $@

clean:
	rm -rf build native/target node_modules

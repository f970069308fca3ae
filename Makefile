# The front door: `make help` lists what it can do.
#
# Everything, with every feature, in one profile, --release, for building,
# testing, checking and measuring: that keeps RocksDB compiled once. Plain `cargo
# build` and `cargo test` leave RocksDB out and need no C++. The target directory is outside the checkout and
# shared by all clones for the same reason; set HOZO_TARGET_DIR (or cargo's
# CARGO_TARGET_DIR) to have another.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

HOZO_TARGET_DIR ?= $(HOME)/.cache/hozo-target
CARGO_TARGET_DIR ?= $(HOZO_TARGET_DIR)
export CARGO_TARGET_DIR

# What cargo says to a test that calls make is not about what make builds; a build
# script that looks at it would be run again each time.
unexport $(filter CARGO_MANIFEST_% CARGO_PKG_%,$(.VARIABLES))

PREFIX ?= /usr/local
DESTDIR ?=
CARGO := cargo
OUT := $(CARGO_TARGET_DIR)/release
# What is built without RocksDB has a directory of its own, so that the two do
# not write over each other.
PLAIN := $(CARGO_TARGET_DIR)/plain
DEMO := -p hozo-cli -p hozo-preload -p hozo-sqlite-ext
ALL := --release --locked --workspace --all-features

.PHONY: help demo test build lint doc bench floors install uninstall clean \
        setup-build setup-demo setup-test

help: ## Show this list
	@echo "Hozo: make TARGET"
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Built files go to $(OUT)"

demo: setup-demo ## Load a real data set with sqlite3, change it, and query the past; needs no C++
	$(CARGO) build --locked --target-dir "$(PLAIN)" $(DEMO)
	@demo/run.sh "$(PLAIN)/debug"

test: setup-test build ## Run every test, end-to-end tests included
	@$(CARGO) run --quiet --release --locked -p xtask -- test $(ALL)

build: setup-build ## Build the command, the preload library and the extension
	$(CARGO) build $(ALL)

lint: setup-build ## Check formatting, clippy's warnings, the floors and generated code
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings
	@$(CARGO) run --quiet --release --locked -p xtask -- floors
	@$(CARGO) run --quiet --release --locked -p xtask -- proto --check

doc: setup-build ## Build the API documentation, warnings (broken links) as errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(ALL) --no-deps

bench: setup-build ## Measure against SQLite on a plain file
	$(CARGO) bench --locked --workspace --all-features --bench sqlite

floors: ## Check which crate depends on which, and the rules for backends
	@$(CARGO) run --quiet --release --locked -p xtask -- floors

install: build ## Install under PREFIX (default /usr/local)
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/hozo"
	install -m 755 "$(OUT)/hozo" "$(DESTDIR)$(PREFIX)/bin/hozo"
	install -m 755 "$(OUT)/libhozo_preload.so" "$(DESTDIR)$(PREFIX)/lib/hozo/libhozo_preload.so"
	install -m 755 "$(OUT)/libhozo_sqlite_ext.so" "$(DESTDIR)$(PREFIX)/lib/hozo/hozo.so"
	install -d "$(DESTDIR)$(PREFIX)/share/bash-completion/completions"
	"$(OUT)/hozo" completions bash >"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/hozo"

uninstall: ## Remove what install put there
	rm -f "$(DESTDIR)$(PREFIX)/bin/hozo"
	rm -rf "$(DESTDIR)$(PREFIX)/lib/hozo"
	rm -f "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/hozo"

clean: ## Remove what was built, RocksDB too
	$(CARGO) clean

setup-build:
	@.ci/setup build
setup-demo:
	@.ci/setup demo
setup-test:
	@.ci/setup test

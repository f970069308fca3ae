# The front door: `make help` lists what it can do.
#
# One profile, --release, for building, testing, checking and measuring: that
# keeps RocksDB compiled once. The target directory is outside the checkout and
# shared by all clones for the same reason; set HOZO_TARGET_DIR (or cargo's
# CARGO_TARGET_DIR) to have another.
#
# What is linked is built in two goes. The libraries that are loaded into other
# programs must not have an SQLite inside, and the command has one; cargo joins
# the features of all crates that it builds at once, so they are built apart.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

HOZO_TARGET_DIR ?= $(HOME)/.cache/hozo-target
CARGO_TARGET_DIR ?= $(HOZO_TARGET_DIR)
export CARGO_TARGET_DIR

PREFIX ?= /usr/local
DESTDIR ?=
CARGO := cargo
OUT := $(CARGO_TARGET_DIR)/release
ALL := --release --locked --workspace
LIBRARIES := --release --locked -p hozo-preload -p hozo-sqlite-ext
PROGRAMS := $(ALL) --exclude hozo-preload --exclude hozo-sqlite-ext

.PHONY: help demo test build lint doc bench floors install uninstall clean \
        setup-build setup-demo setup-test

help: ## Show this list
	@echo "Hozo: make TARGET"
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Built files go to $(OUT)"

demo: setup-demo build ## Load a real data set with sqlite3, change it, and query the past
	@demo/run.sh "$(OUT)"

test: setup-test build ## Run every test, end-to-end tests included
	@$(CARGO) run --quiet --release --locked -p xtask -- test "$(PROGRAMS)" "$(LIBRARIES)"

build: setup-build ## Build the command, the preload library and the extension
	$(CARGO) build $(PROGRAMS)
	$(CARGO) build $(LIBRARIES)

lint: setup-build ## Check formatting, clippy's warnings and the floors
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings
	@$(CARGO) run --quiet --release --locked -p xtask -- floors

doc: setup-build ## Build the API documentation, warnings (broken links) as errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(ALL) --no-deps

bench: setup-build ## Measure against SQLite on a plain file
	$(CARGO) bench --locked -p hozo-benches

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

# make run     builds previewd and previews the sample project
# make test    everything that CI runs
# make release previewd as it is to be shipped, target/guided/previewd: optimised and laid out by profiles of itself at work
# make bench   that, measured against plain uvicorn, venv and pip, nginx, cat and others
# make load    a hundred previews at once, a thousand launches and stops: what they take, and that nothing grows
# make nightly an hour of the random walk (PREVIEW_WALK_SECONDS and PREVIEW_WALK_SEED make it another), over 10,000 cases
#              of schemathesis, 200 reloads under load, and other values for the tests of properties than every day
# make coverage lines of Rust and of the web's logic that the tests reach, 90 % of each at the least; it builds everything once more
# make fmt     formats Rust and TypeScript
#
# scripts/setup installs what is missing, or says what to install. Nothing is written outside this directory but the
# caches of cargo, npm and uv; target/, web/node_modules, web/dist and storage/ may be removed at any time.

SHELL := bash
CORES := $(shell nproc)
# Tests wait more than they compute: for servers to end, for time to be over.
export RUST_TEST_THREADS ?= $(shell echo $$((3 * $$(nproc))))
.PHONY: run release test built it units crates rest browser bench load nightly coverage fmt web web-lint web-types web-typecheck web-test embed supply-chain

# What build.rs compiles is no part of a crate, so that cargo does not format it.
LIBRARY := --edition 2024 runner/template.rs
UI_PACKAGES := web/node_modules/.package-lock.json
HOST_PACKAGES := examples/embed/node_modules/.package-lock.json
# What is built of the web, and of what: the page, and a host application with the React package.
PAGE := web/dist/index.html
PAGE_SOURCES := $(shell find web/src web/public) $(addprefix web/,index.html package.json package-lock.json tsconfig.json vite.config.ts)
HOST := examples/embed/dist/index.html
HOST_SOURCES := $(PAGE_SOURCES) $(wildcard web/*.config.ts) $(shell find examples/embed/src) $(filter-out %.tgz,$(wildcard examples/embed/*.*))

run: $(UI_PACKAGES)
	cargo build --locked
	cargo run --locked --quiet -- up examples/bookshop

# Once all is built: the tests of the server and those in a browser take longest, and all else is run beside them, one after the other,
# but for the unit tests: what compiles bytecode at the lowest priority in these waited for a minute where so much ran beside.
test:
	scripts/setup test
	$(MAKE) --jobs=1 built units
	$(MAKE) --jobs=3 --keep-going it browser rest

release: $(UI_PACKAGES)
	scripts/release

bench load: export BENCH_BINARY := $(CURDIR)/target/guided/previewd
bench: release
	cargo bench --locked --bench previewd

load: release
	cargo bench --locked --bench previewd -- lasting

nightly:
	PROPTEST_CASES=5000 cargo test --locked --workspace --lib
	cargo test --locked --package pysource --test hostile
	cargo test --locked --test it -- arbitrary::
	PREVIEW_RELOADS=200 cargo test --locked --test it -- reload::no_request_fails
	PREVIEW_TEST_CASES=600 cargo test --locked --test it -- fuzzed:: --nocapture
	PREVIEW_WALK_SECONDS=$${PREVIEW_WALK_SECONDS:-3600} cargo test --locked --test it -- a_walk --nocapture

coverage: $(UI_PACKAGES)
	scripts/setup test
	cd web && npm run coverage
	scripts/coverage

fmt: $(UI_PACKAGES)
	cargo fmt --all
	rustfmt $(LIBRARY)
	cd web && npm run format

# The page, and Rust with its lints.
built: $(UI_PACKAGES)
	$(MAKE) --jobs=$(CORES) --output-sync=target $(HOST) $(PAGE)
	cargo fmt --all --check
	rustfmt --check $(LIBRARY)
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --locked --no-run

rest: $(UI_PACKAGES)
	$(MAKE) --jobs=1 --keep-going crates web-test web-typecheck web-types web-lint supply-chain

web: $(UI_PACKAGES)
	$(MAKE) --jobs=$(CORES) --keep-going --output-sync=target web-test $(HOST) web-typecheck $(PAGE) web-types web-lint

# They read files and nothing else: so they are not run again over the same ones.
web-lint: $(UI_PACKAGES)
	scripts/unless-passed web-lint web .gitignore -- npm --prefix web run lint

web-types: $(UI_PACKAGES)
	scripts/unless-passed web-types web/src/api web/package*.json docs/openapi.json -- npm --prefix web run types:check

web-typecheck: $(UI_PACKAGES)
	scripts/unless-passed web-typecheck web -- npm --prefix web run typecheck

web-test: $(UI_PACKAGES)
	scripts/unless-passed web-test web -- npm --prefix web test

# The same cases every day: nobody is to be stopped by what he has not changed. `make nightly` looks for others.
it units crates: export PROPTEST_RNG_SEED ?= 1
it units crates: export PREVIEW_WALK_SEED ?= 1
it units crates: export PREVIEW_TEST_SEED ?= 1
it: $(UI_PACKAGES)
	cargo test --workspace --locked --test it

units: $(UI_PACKAGES)
	cargo test --workspace --locked --lib --bins

# Tests of what the other crates offer, and what is in the documentation of all.
crates: $(UI_PACKAGES)
	cargo test --workspace --locked --test '[!i]*'
	cargo test --workspace --locked --doc

# The React package as a host application gets it.
embed: $(HOST)

# A real browser on the real binary: the one of the tests, which `cargo build` would make once more, since what tests need besides
# turns on features of libraries that both have. Nobody looks at its pictures here: `npm run test:e2e` takes them.
browser: export SCREENS ?= 0
browser: $(HOST) $(PAGE)
	cargo test --workspace --locked --no-run --test it
	cd web && npm run test:e2e -- --workers=$(CORES)

supply-chain: $(UI_PACKAGES)
	scripts/check-crates
	scripts/check-packages

$(UI_PACKAGES): web/package-lock.json
	scripts/setup run
	cd web && npm ci --no-audit --no-fund
	touch $@

$(HOST_PACKAGES): examples/embed/package-lock.json
	cd examples/embed && npm ci --no-audit --no-fund
	touch $@

# Only when it is older than what it is made from: cargo compiles what embeds it again after each time. build.rs says the same.
$(PAGE): $(PAGE_SOURCES) $(UI_PACKAGES)
	cd web && npm run build

$(HOST): $(HOST_SOURCES) $(UI_PACKAGES) $(HOST_PACKAGES)
	cd web && npm run build:lib
	cd examples/embed && npm run install:package && npm run build

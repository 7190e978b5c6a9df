# Every target works on a fresh machine: what is missing is installed, or named in one line.

with_cargo := . .ci/toolchain.sh &&

.PHONY: help run test static test-static test-real fuzz check bench install

# What can be made.
help:
	@awk '/^# / { what = substr($$0, 3) } \
		/^[a-z-]+:/ { sub(":.*", ""); printf "make %-12s %s\n", $$0, what }' Makefile

# The static binary at its main job, against a model service of its own.
run:
	@sx=$$(.ci/static) && "$$sx" demo

# Every test that needs nothing but this machine.
test:
	@$(with_cargo) cargo test --locked

# The static binary; the last line is its path.
static:
	@.ci/static

# Tests of the static binary: as a file, and as what people run.
test-static:
	@SX_STATIC_BIN=$$(.ci/static) && export SX_STATIC_BIN && $(with_cargo) \
		cargo test --locked --test elf --test it

# Tests against real servers of Debian's on loopback; REAL=small is nginx and squid alone.
REAL ?= all
test-real:
	@.ci/real $(REAL)

# Fuzzes every parser for FUZZ_SECONDS (20); FUZZ="head url" fuzzes those alone.
fuzz:
	@.ci/fuzz $(FUZZ)

# All that a change must pass.
check:
	@$(with_cargo) cargo fmt --check
	@$(with_cargo) cargo clippy --locked --all-targets -- -D warnings
	@$(with_cargo) cargo clippy --locked --test elf --test real -- -D warnings
	@$(with_cargo) RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	@$(with_cargo) cargo test --locked

# Time and memory of the static binary on long streams, beside curl's.
bench:
	@sx=$$(.ci/static) && $(with_cargo) install_packages curl && \
		SX_STATIC_BIN=$$sx cargo bench --locked --profile dev --bench bench

# The static binary and its two other names, below PREFIX.
PREFIX ?= /usr/local
install:
	@sx=$$(.ci/static) && \
		install -D -m 755 "$$sx" "$(DESTDIR)$(PREFIX)/bin/sx" && \
		ln -sf sx "$(DESTDIR)$(PREFIX)/bin/scorpiox-codex-fetchtoken" && \
		ln -sf sx "$(DESTDIR)$(PREFIX)/bin/scorpiox-config"

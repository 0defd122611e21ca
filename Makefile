# mote: `make` lists what can be made.
.DEFAULT_GOAL := help
.PHONY: help build run dist test soak chain software faults service bench fuzz miri kernels qemu \
	initramfs small hours disk harness clean

HOST_ARCH := $(if $(filter aarch64,$(shell uname -m)),arm64,amd64)
# amd64 or arm64; not from the environment, where it may stand for a kernel build.
ARCH := $(HOST_ARCH)
$(if $(filter amd64 arm64,$(ARCH)),,$(error ARCH is amd64 or arm64, not $(ARCH)))
TARGET := $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-unknown-linux-gnu
CROSS := $(filter-out $(HOST_ARCH),$(ARCH))
BINARY := dist/mote$(addprefix -,$(CROSS))
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
FUZZ_SECONDS ?= 60
# Not from the environment, where it may stand for something else.
BENCH := overhead pipeline footprint scale filter decode wire formats

# clang compiles bpf/, libclang reads bpf/record.h, libelf and zlib are libbpf's.
BUILD_PACKAGES := clang libclang-dev libelf-dev zlib1g-dev gcc libc6-dev make pkg-config git
# For arm64 from x86-64. The rest is unpacked by cross/fetch.
CROSS_PACKAGES := gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3
# The live tests: a real syslog daemon, a second opinion on loaded programs, and on audit rules;
# python3 is for scripts/show. Packages are made and played with rpm and busybox, and two shells are asked
# what they complete. syslog-ng, which cannot be beside rsyslog, is unpacked by scripts/syslog-ng.
TEST_PACKAGES := rsyslog rsyslog-relp bpftool util-linux auditd stress-ng strace python3 logrotate \
	valgrind rpm dpkg busybox-static zsh fish iproute2
# Packages of it.
DIST_PACKAGES := dpkg rpm tar xz-utils gzip python3
# What people run.
SOFTWARE_PACKAGES := strace apt git make gcc nginx-light curl postgresql busybox-static util-linux
# What the sensor is compared with, what makes a load, and what counts instructions.
BENCH_PACKAGES := auditd laurel bpftrace libbpf-tools rsyslog nginx-light make gcc valgrind
# Guests. An .rpm is unpacked by rpm2cpio and cpio.
QEMU_PACKAGES := python3 rpm2cpio cpio
QEMU_PACKAGES += $(if $(filter arm64,$(ARCH)),qemu-system-arm,qemu-system-x86)
QEMU_PACKAGES += $(if $(CROSS),,busybox-static)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

build: ## dist/mote, the static release binary; ARCH=arm64: dist/mote-arm64, for another machine
	@scripts/packages $(BUILD_PACKAGES) $(if $(CROSS),$(CROSS_PACKAGES))
	@$(if $(CROSS),cross/fetch)
	cargo build --release --locked --bin mote --config cross/$(TARGET).toml \
		$(if $(CROSS),--config target/cross/$(ARCH)/cargo.toml)
	@mkdir -p dist
	@cp -f target/$(TARGET)/release/mote $(BINARY)

dist: build ## in dist/: .deb, .rpm, a tarball, a list of what is linked in; ARCH=arm64: of dist/mote-arm64
	@scripts/packages $(DIST_PACKAGES)
	@packaging/dist $(ARCH) $(VERSION) $(BINARY)

run: build ## start the sensor and show live events (root)
	@scripts/run

test: build ## formatting, lints, unit, integration and live tests (live ones need root)
	@scripts/packages $(TEST_PACKAGES)
	@scripts/syslog-ng
	@scripts/test

soak: build ## eBPF switched off and on a hundred times under a load of processes (root)
	@scripts/packages $(TEST_PACKAGES)
	MOTE_SOAK=1 MOTE_BIN=$(CURDIR)/dist/mote cargo test --locked --test operator -- switching

# CHAIN: names of chains; EVENTS: how many of each.
EVENTS ?= 1000000
chain: build ## a million events to a collector, every part of the way ended meanwhile (root)
	@scripts/packages $(TEST_PACKAGES)
	@scripts/syslog-ng
	MOTE_CHAIN=$(EVENTS) MOTE_BIN=$(CURDIR)/dist/mote cargo test --locked --test chain -- $(CHAIN)

software: build ## what people run, call by call as strace sees it: apt, git, make, nginx ... (root)
	@scripts/packages $(SOFTWARE_PACKAGES)
	MOTE_BIN=$(CURDIR)/dist/mote cargo test --locked --test software

faults: build ## system calls of the sensor fail one by one, at its start and in its loop (root)
	@scripts/packages $(TEST_PACKAGES)
	MOTE_FAULTS=1 MOTE_BIN=$(CURDIR)/dist/mote cargo test --locked --test faults

# SUITE: suites of Debian. KIND: of packages.
SUITE ?= bullseye bookworm trixie
KIND ?= deb rpm
service: dist ## packages in guests with systemd: start, limits, reload, watchdog, upgrade, removal (root)
	@scripts/packages $(DIST_PACKAGES) debootstrap $(QEMU_PACKAGES)
	@qemu/fetch debian-12
	@rootfs-tests/service/run $(VERSION) target/kernels/debian-12/*.deb "$(KIND)" $(SUITE)
	@. /etc/os-release; case " $(SUITE) " in *" $$VERSION_CODENAME "*) rootfs-tests/service/openrc ;; esac

bench: build ## what the sensor costs, against its goals (root); BENCH=wire for one, README=yes
	@scripts/packages $(BENCH_PACKAGES)
	MOTE_BIN=$(CURDIR)/dist/mote cargo bench --locked $(addprefix --bench ,$(BENCH))
	@$(if $(README),MOTE_README=yes) cargo bench --quiet --locked --bench report

# TARGETS: names of fuzz targets.
fuzz: ## every fuzz target for FUZZ_SECONDS (60) each; needs the nightly toolchain
	@scripts/packages $(BUILD_PACKAGES)
	@scripts/fuzz $(FUZZ_SECONDS) $(TARGETS)

miri: ## the reader of rings and what else is unsafe and can be, with every access looked at
	@scripts/packages $(BUILD_PACKAGES)
	@scripts/miri

kernels: ## the kernels that this machine's package sources have, to target/kernels; ROW=names
	@scripts/packages python3
	@qemu/fetch $(ROW)

# ROW: rows of qemu/kernels.toml. KERNEL: an image for one of them. JOBS: guests at a time.
MATRIX := qemu/matrix $(foreach row,$(ROW),--row $(row)) $(if $(KERNEL),--kernel $(KERNEL)) \
	$(if $(JOBS),--jobs $(JOBS)) $(QEMU_FLAGS)

qemu: ## boot every kernel at hand with the live tests; KERNEL=image ROW=name for one
	@scripts/packages python3
	@$(if $(KERNEL)$(wildcard target/kernels/*/*.deb),,qemu/fetch $(ROW) || true)
	@architectures=$$($(MATRIX) --architectures) || exit; for arch in $$architectures; do \
		$(MAKE) --no-print-directory initramfs ARCH=$$arch || \
			{ rm -f target/qemu/$$arch*.initramfs; echo "mote: nothing for $$arch was made" >&2; }; \
	done
	@$(MATRIX)

initramfs: build
	@scripts/packages $(QEMU_PACKAGES)
	@qemu/initramfs --arch $(ARCH)

# CASE: names of cases (qemu/small has them); LOAD_SECONDS: of the load of each.
LOAD_SECONDS ?= 600
small: ## ten minutes on emulated machines of 64 MiB, or one arm64 CPU; a look at 64 CPUs
	@scripts/packages python3
	@architectures=$$(qemu/small --architectures $(CASE)) || exit; for arch in $$architectures; do \
		$(MAKE) --no-print-directory disk ARCH=$$arch || exit; \
	done
	@qemu/small --seconds $(LOAD_SECONDS) $(CASE)

hours: LOAD_SECONDS = 14400
hours: CASE = hours
hours: small ## four hours of mixed load on an emulated machine that changes and is suspended

disk: build
	@scripts/packages $(QEMU_PACKAGES) e2fsprogs
	@qemu/initramfs --arch $(ARCH) --disk

harness: ## tests of the QEMU harness itself; is docs/kernels.md up to date
	@scripts/packages python3
	@cd qemu && python3 -m unittest discover -s tests -t .
	@qemu/matrix --check

clean: ## remove everything that was made
	cargo clean
	rm -rf dist

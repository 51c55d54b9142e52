# Veilleuse: GNU make, C17, gcc 12 or clang 14 and later. `make help` lists what there is to make.
#
# MODE    release (default), debug, asan (address and undefined behaviour), cov
# CC      gcc or clang;  WERROR=1 makes warnings errors (tests and CI do)
MODE   ?= release
CC     := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
BUILD  := build/$(MODE)

# The parts, lowest first: a part may include those before it (tests/house.sh checks).
PARTS := base formats/hl7 formats/tlog formats/age formats/slip39 formats/fhir formats/base64 formats/rtf formats/cda vault facts chart fhir paper roles feeds web simulate node

PACKAGES := libsodium libxml-2.0 nettle libzstd sqlite3 libmicrohttpd jansson libseccomp libbsd pangocairo
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
# Debian's libzint and libcsv have no .pc file.
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lzint -lcsv -lm

VERSION := 0.1.0

CFLAGS_COMMON := -std=c17 -D_GNU_SOURCE -DVEILLEUSE_VERSION='"$(VERSION)"' -Isrc -I$(BUILD)/gen \
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings \
  -Wvla -Wformat=2 -Wundef -fno-common -fPIE -g $(PKG_CFLAGS)
ifneq (,$(findstring clang,$(CC)))
CFLAGS_COMMON += -Wno-gnu-zero-variadic-macro-arguments
else
CFLAGS_COMMON += -Wlogical-op -Wduplicated-cond
endif
ifdef WERROR
CFLAGS_COMMON += -Werror
endif
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection
LDFLAGS_COMMON := -pie -Wl,-z,relro,-z,now

ifeq ($(MODE),release)
CFLAGS_MODE := -O2 -D_FORTIFY_SOURCE=2 $(HARDENING)
else ifeq ($(MODE),debug)
CFLAGS_MODE := -O0 $(HARDENING)
else ifeq ($(MODE),asan)
CFLAGS_MODE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_MODE := -fsanitize=address,undefined
else ifeq ($(MODE),cov)
CFLAGS_MODE := -O0 --coverage
LDFLAGS_MODE := --coverage
else ifeq ($(MODE),fuzz)
CFLAGS_MODE := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_MODE := -fsanitize=address,undefined
else
$(error MODE is release, debug, asan, cov or fuzz)
endif
override CFLAGS  := $(CFLAGS_COMMON) $(CFLAGS_MODE) $(CFLAGS)
override LDFLAGS := $(LDFLAGS_COMMON) $(LDFLAGS_MODE) $(LDFLAGS)

part_name = $(subst /,_,$(1))
part_lib  = $(BUILD)/lib/$(call part_name,$(1)).a
part_objs = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/$(1)/*.c))

# Made from pages, catalogues and files: C that nobody writes by hand.
GEN_web := $(patsubst src/web/pages/%.html,$(BUILD)/gen/web/pages/%.c,$(wildcard src/web/pages/*.html)) \
           $(BUILD)/gen/web/catalogue.c $(BUILD)/gen/web/static.c
GEN_chart := $(BUILD)/gen/chart/schema.c
gen_objs = $(patsubst $(BUILD)/gen/%.c,$(BUILD)/genobj/%.o,$(GEN_$(call part_name,$(1))))

LIBS_ASCENDING := $(foreach p,$(PARTS),$(call part_lib,$(p)))
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
LIBS := $(call reverse,$(LIBS_ASCENDING))

.PHONY: all build test test-unit clean help format tools tools-verify
.DELETE_ON_ERROR:
.SECONDARY:
all: build
build: $(BUILD)/veilleuse

$(BUILD)/veilleuse: $(BUILD)/obj/main.o $(LIBS)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/genobj/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

define part_rule
$(call part_lib,$(1)): $(call part_objs,$(1)) $(call gen_objs,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach p,$(PARTS),$(eval $(call part_rule,$(p))))

# Tools that make C run on the building machine, plainly compiled.
TOOL_CFLAGS := -std=c17 -D_GNU_SOURCE -O1 -Wall -Wextra
build/tools/%: tools/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -o $@ $<
tools: build/tools/template build/tools/catalogue build/tools/embed
$(BUILD)/gen/web/pages/%.c: src/web/pages/%.html build/tools/template
	@mkdir -p $(@D)
	build/tools/template $< > $@
$(BUILD)/gen/web/catalogue.c: $(wildcard lang/*.po) build/tools/catalogue
	@mkdir -p $(@D)
	build/tools/catalogue $(sort $(wildcard lang/*.po)) > $@
$(BUILD)/gen/web/static.c: $(wildcard src/web/static/*) build/tools/embed
	@mkdir -p $(@D)
	build/tools/embed web_static $(sort $(wildcard src/web/static/*)) > $@
$(BUILD)/gen/chart/schema.c: src/chart/schema.sql build/tools/embed
	@mkdir -p $(@D)
	build/tools/embed chart_schema src/chart/schema.sql > $@

# The second reader, for those who check a vault and trust nobody: one static file, no part of src/. The other one,
# with sanitizers, is for its tests.
VERIFY_SOURCES := $(wildcard tools/verify/*.c)
VERIFY_CFLAGS := $(filter-out -I% -DVEILLEUSE% -fPIE,$(CFLAGS_COMMON))
tools-verify: build/verify/veilleuse-verify
build/verify/veilleuse-verify: $(VERIFY_SOURCES) tools/verify/verify.h
	@mkdir -p $(@D)
	$(CC) $(VERIFY_CFLAGS) -O2 -D_FORTIFY_SOURCE=2 $(HARDENING) -static -o $@ $(VERIFY_SOURCES) -lsodium -lzstd
build/verify/veilleuse-verify-asan: $(VERIFY_SOURCES) tools/verify/verify.h
	@mkdir -p $(@D)
	$(CC) $(VERIFY_CFLAGS) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -o $@ $(VERIFY_SOURCES) -lsodium -lzstd

# Unit tests: tests/unit/<part>/<name>_test.c, a TAP program linked with its part and those below.
UNIT_SOURCES := $(wildcard tests/unit/*/*_test.c tests/unit/*/*/*_test.c tests/fault/*_test.c tests/sim/*_test.c)
UNIT_TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SOURCES))
$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests -MMD -MP -c -o $@ $<
# The parts up to and including the one whose tests these are.
up_to = $(if $(2),$(firstword $(2)) $(if $(filter $(1),$(firstword $(2))),,$(call up_to,$(1),$(wordlist 2,$(words $(2)),$(2)))))
define unit_rule
$(filter $(BUILD)/tests/unit/$(1)/%,$(UNIT_TESTS)): $(BUILD)/tests/unit/$(1)/%: $(BUILD)/tests/unit/$(1)/%.o $(call reverse,$(foreach p,$(call up_to,$(1),$(PARTS)),$(call part_lib,$(p))))
	$(CC) $(LDFLAGS) -o $$@ $$^ $(PKG_LIBS)
endef
$(foreach p,$(PARTS),$(if $(filter $(BUILD)/tests/unit/$(p)/%,$(UNIT_TESTS)),$(eval $(call unit_rule,$(p)))))
$(filter $(BUILD)/tests/fault/% $(BUILD)/tests/sim/%,$(UNIT_TESTS)): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIBS)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
# What scripts in tests/peers hand their files to, and what makes sites for those in tests/e2e.
TEST_TOOLS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/peers/*.c tests/site/*.c))
$(TEST_TOOLS): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIBS)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
unit-tests: $(UNIT_TESTS) $(TEST_TOOLS)

# The same for one part: make unit-vault
$(foreach p,$(PARTS),$(eval .PHONY: unit-$(p))$(eval unit-$(p): $(filter $(BUILD)/tests/unit/$(p)/%,$(UNIT_TESTS)); prove $(filter $(BUILD)/tests/unit/$(p)/%,$(UNIT_TESTS))))

# Benchmarks: bench/<name>.c
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
$(BUILD)/bench/%.o: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BENCHES): $(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIBS)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
benches: $(BENCHES)

# Fuzzers: fuzz/<name>.c holds LLVMFuzzerTestOneInput. With clang (MODE=fuzz) they are libFuzzer programs;
# otherwise fuzz/replay.c runs each corpus file through them.
FUZZERS := $(patsubst fuzz/fuzz_%.c,$(BUILD)/fuzz/fuzz_%,$(wildcard fuzz/fuzz_*.c))
$(BUILD)/fuzz/%.o: fuzz/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
ifeq ($(MODE),fuzz)
$(FUZZERS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/%.o $(LIBS)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)
else
$(FUZZERS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/%.o $(BUILD)/fuzz/replay.o $(LIBS)
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
endif
fuzzers: $(FUZZERS)

format:
	clang-format-14 -i $(shell git ls-files '*.c' '*.h')
clean:
	rm -rf build
help:
	@sed -n 's/^# //p' Makefile | head -5
	@echo 'Targets: build tools-verify unit-tests unit-<part> benches fuzzers format clean. People use ./dev.'

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# Builds, tests and installs stepvault. `make deps` first on a new machine; then `make`, `make demo`, `make check`.
#
# One build folder holds the objects of one compiler and one set of flags, so that several lie side by side:
#   make                                    build/            (programs in build/bin, libraries in build/lib)
#   make CC=clang BUILD=build/clang
#   make sanitize                           build/sanitize    (gcc, address and undefined behaviour)
#   make fuzz                               build/fuzz        (clang, libFuzzer and address)
# Within one, host/ holds what the ordinary compiler made and musl/ what musl-gcc made for the static launcher.

VERSION = 0.6.0
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
ifeq ($(origin CC),default)
CC = gcc
endif
MUSL_CC ?= $(shell command -v musl-gcc 2>/dev/null)
SANITIZE ?=
WERROR ?=
FUZZ_SECONDS ?= 15

BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib
LIBEXECDIR = $(PREFIX)/libexec/stepvault
INCLUDEDIR = $(PREFIX)/include
SHAREDIR = $(PREFIX)/share

.DEFAULT_GOAL = all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
# `make V=1` shows whole command lines.
ifeq ($(V),)
QUIET = @echo "  $(1) $@";
endif

# ---- what is made of what --------------------------------------------------------------------------------

BASE = $(wildcard vault/base/*.c)
CLIENT = $(wildcard vault/client/*.c)
JSON = $(wildcard vault/json/*.c)
STORE = $(wildcard vault/store/*.c)
CRYPTO = $(wildcard vault/crypto/*.c)
CATALOG = $(filter-out %/main.c,$(wildcard vault/catalog/*.c))
APPS = $(sort $(wildcard vault/catalog/apps/*.json))
NOUNS = $(wildcard vault/*.c)
AGENT = $(wildcard vault/agent/*.c)
CONFINE = $(wildcard vault/confine/*.c)
OAUTH = $(wildcard vault/oauth/*.c)
LAUNCH = $(wildcard cli/launch/*.c)
MANAGE = $(wildcard cli/*.c cli/import/*.c)
CODE = $(wildcard cli/code/*.c)
LOGIN = $(wildcard pam/helper/*.c)
# What runs a code step's file in its language (cli/launchers/README.md).
LAUNCHERS = $(wildcard cli/launchers/*.cjs cli/launchers/*.mjs cli/launchers/*.py cli/launchers/*.sh)
INTERFACE = $(wildcard vault/agent/io.stepvault.Agent.varlink)

# What both programs have: the sentence that a failure is told with, and the reader of .env files.
SHARED = $(wildcard cli/report.c cli/dotenv.c cli/dotenv_reader.c)
LAUNCHER_SOURCES = $(LAUNCH) $(SHARED) $(wildcard cli/code/language.c) $(CLIENT) $(BASE)
MANAGE_SOURCES = $(MANAGE) $(CLIENT) $(BASE) $(JSON) $(CATALOG) $(wildcard $(addprefix vault/crypto/,kdf.c slot.c seal.c))
AGENT_SOURCES = $(AGENT) $(CONFINE) $(NOUNS) $(STORE) $(filter-out vault/crypto/kdf.c,$(CRYPTO)) vault/catalog/destination.c $(JSON) $(BASE)
OAUTH_SOURCES = $(OAUTH) $(CONFINE) $(filter-out %/catalog.c,$(CATALOG)) $(wildcard vault/crypto/pkce.c) $(JSON) $(BASE)
CODE_SOURCES = $(CODE) $(wildcard cli/report.c cli/replacement.c $(addprefix cli/launch/,program.c sealed.c)) $(CLIENT) $(JSON) $(BASE)
# PAM's helper, and the module: of ours it has what takes names and records apart, and nothing else.
LOGIN_SOURCES = $(LOGIN) pam/message.c cli/key.c $(CLIENT) $(JSON) $(wildcard $(addprefix vault/crypto/,kdf.c slot.c seal.c)) $(BASE)
PAM_SOURCES = $(wildcard pam/*.c) $(addprefix vault/base/,name.c status.c text.c)
LIBRARY_SOURCES = $(CLIENT) $(BASE)
ALL_SOURCES = $(sort $(LAUNCHER_SOURCES) $(MANAGE_SOURCES) $(AGENT_SOURCES) $(OAUTH_SOURCES) $(CODE_SOURCES) $(LOGIN_SOURCES) $(PAM_SOURCES))
TESTED_SOURCES = $(filter-out %/main.c,$(ALL_SOURCES))

UNIT_TESTS = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_HELPERS = $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS = $(patsubst tests/%.c,%,$(wildcard tests/crash/*.c tests/bench/*.c tests/cli/*.c tests/oauth/*.c tests/peers/certif*.c))
# What calls PAM as a login does.
PAM_TOOLS = $(patsubst tests/%.c,%,$(wildcard tests/pam/*.c))

# ---- flags -----------------------------------------------------------------------------------------------

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
	-Wundef -Wvla -Wformat=2 -Werror=incompatible-pointer-types -Werror=int-conversion $(if $(WERROR),-Werror)
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
ifeq ($(MACHINE),x86_64)
CONTROL_FLOW = -fcf-protection
else ifeq ($(MACHINE),aarch64)
CONTROL_FLOW = -mbranch-protection=standard
endif
CFLAGS ?= -O2 -g
DEFINES = -D_GNU_SOURCE -DSTEPVAULT_VERSION='"$(VERSION)"' -DSTEPVAULT_LIBEXEC='"$(LIBEXECDIR)"'
COMMON = -std=gnu11 $(DEFINES) -Ivault -Icli -Ipam $(WARNINGS) $(CFLAGS) -ffunction-sections -fdata-sections
ifeq ($(SANITIZE),)
HARDENING = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection $(CONTROL_FLOW)
else
HARDENING = -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
# One set of objects serves programs and libraries, so it is position-independent; what the library exports is marked
# in vault/client/stepvault.h.
HOST_CFLAGS = $(COMMON) $(HARDENING) -fPIC -fvisibility=hidden
LINK_HARDENING = -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed -Wl,--gc-sections
HOST_LDFLAGS = $(LINK_HARDENING) $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
# A launcher has no library to find at its start: static, but under sanitizers, which need the dynamic linker.
LAUNCHER_LDFLAGS = $(if $(SANITIZE),-pie,-static -no-pie) $(HOST_LDFLAGS)
# musl-gcc makes no static-pie, and a static program at a fixed address starts without relocating itself.
MUSL_CFLAGS = $(COMMON) $(HARDENING) -fno-pie
MUSL_LDFLAGS = -static -no-pie $(LINK_HARDENING) $(LDFLAGS)

SODIUM = -lsodium
SQLITE = -lsqlite3
ARGON2 = -largon2
JANSSON = -ljansson
CURL = -lcurl
CMOCKA = -lcmocka
PAM = -lpam
# What a module brings: the sanitizers' crypt is none where the library comes after them.
CRYPT = -Wl,--no-as-needed -lcrypt

# ---- the build -------------------------------------------------------------------------------------------

host = $(patsubst %.c,$(BUILD)/host/%.o,$(1))
musl = $(patsubst %.c,$(BUILD)/musl/%.o,$(1))
INTERFACE_OBJECT = $(if $(and $(INTERFACE),$(wildcard vault/agent/method.h)),$(BUILD)/host/varlink_text.o)
CATALOG_OBJECT = $(BUILD)/host/catalog_entries.o
# What checks the catalogue's entries at build time is what checks the user's own at run time.
CATALOG_PROGRAM_SOURCES = vault/catalog/main.c $(filter-out %/catalog.c,$(CATALOG)) $(JSON) $(BASE)

SANITIZER_OBJECT = $(if $(findstring undefined,$(SANITIZE)),$(BUILD)/host/tests/sanitizer.o)

PROGRAMS = $(if $(wildcard cli/launch/main.c),$(BUILD)/bin/stepvault $(BUILD)/bin/stepvault-glibc) \
	$(if $(wildcard cli/main.c),$(BUILD)/bin/stepvault-manage) $(if $(wildcard vault/agent/main.c),$(BUILD)/bin/stepvault-agent) \
	$(if $(wildcard vault/oauth/main.c),$(BUILD)/bin/stepvault-oauth) \
	$(if $(wildcard cli/code/main.c),$(BUILD)/bin/stepvault-code) $(if $(LOGIN),$(BUILD)/bin/stepvault-login) $(patsubst cli/%,$(BUILD)/bin/%,$(LAUNCHERS))
LIBRARIES = $(if $(CLIENT),$(BUILD)/lib/libstepvault.so $(BUILD)/lib/libstepvault.a) $(if $(wildcard pam/*.c),$(BUILD)/lib/pam_stepvault.so)

.PHONY: all objects
all: objects $(PROGRAMS) $(LIBRARIES)
objects: $(call host,$(ALL_SOURCES))

# A stamp is rewritten only when the command line it records has changed; the objects depend on it.
.PHONY: force
$(BUILD)/host/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' "$$RECORD" | cmp -s - $@ || printf '%s\n' "$$RECORD" > $@
$(BUILD)/host/flags: export RECORD = $(CC) $(HOST_CFLAGS) $(HOST_LDFLAGS)
$(BUILD)/musl/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' "$$RECORD" | cmp -s - $@ || printf '%s\n' "$$RECORD" > $@
$(BUILD)/musl/flags: export RECORD = $(MUSL_CC) $(MUSL_CFLAGS) $(MUSL_LDFLAGS)

$(BUILD)/host/%.o: %.c $(BUILD)/host/flags
	@mkdir -p $(@D)
	$(call QUIET,CC)$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/musl/%.o: %.c $(BUILD)/musl/flags
	@mkdir -p $(@D)
	$(call QUIET,CC)$(MUSL_CC) $(MUSL_CFLAGS) -MMD -MP -c -o $@ $<

# The interface file goes into the agent byte for byte, as octal escapes of one string.
$(BUILD)/host/varlink_text.c: $(INTERFACE)
	@mkdir -p $(@D)
	@{ printf '/* Made from %s by the Makefile. */\n#include "agent/method.h"\n\nconst char agent_interface_text[] =\n' $<; \
	  od -An -v -to1 $< | sed 's/ /\\/g; s/^/    "/; s/$$/"/'; printf '    "";\n'; } > $@
$(BUILD)/host/varlink_text.o: $(BUILD)/host/varlink_text.c $(BUILD)/host/flags
	$(call QUIET,CC)$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

# The catalogue goes into stepvault-manage as C data. The first wrong entry ends the build.
$(BUILD)/host/catalog: $(call host,$(CATALOG_PROGRAM_SOURCES)) $(SANITIZER_OBJECT)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(JANSSON)
$(BUILD)/host/catalog_entries.c: $(BUILD)/host/catalog $(APPS) vault/catalog/apps
	$(call QUIET,APPS)$< $(APPS) > $@
$(CATALOG_OBJECT): $(BUILD)/host/catalog_entries.c $(BUILD)/host/flags
	$(call QUIET,CC)$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

ifneq ($(and $(MUSL_CC),$(if $(SANITIZE),,yes)),)
$(BUILD)/bin/stepvault: $(call musl,$(LAUNCHER_SOURCES))
	@mkdir -p $(@D)
	$(call QUIET,LD)$(MUSL_CC) $(MUSL_LDFLAGS) -o $@ $^
else
$(BUILD)/bin/stepvault: $(call host,$(LAUNCHER_SOURCES)) $(SANITIZER_OBJECT)
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) $(LAUNCHER_LDFLAGS) -o $@ $^
endif
# The same launcher on the ordinary C library, for the tests and the bars; it is not installed.
$(BUILD)/bin/stepvault-glibc: $(call host,$(LAUNCHER_SOURCES)) $(SANITIZER_OBJECT)
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) $(LAUNCHER_LDFLAGS) -o $@ $^
$(BUILD)/bin/stepvault-manage: $(call host,$(MANAGE_SOURCES)) $(CATALOG_OBJECT) $(SANITIZER_OBJECT)
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(SODIUM) $(ARGON2) $(JANSSON)
$(BUILD)/bin/stepvault-agent: $(call host,$(AGENT_SOURCES)) $(INTERFACE_OBJECT) $(SANITIZER_OBJECT)
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(SODIUM) $(SQLITE) $(JANSSON)
$(BUILD)/bin/stepvault-oauth: $(call host,$(OAUTH_SOURCES)) $(SANITIZER_OBJECT)
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(CURL) $(SODIUM) $(JANSSON)

$(BUILD)/bin/stepvault-code: $(call host,$(CODE_SOURCES)) $(SANITIZER_OBJECT)
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(JANSSON)
$(BUILD)/bin/stepvault-login: $(call host,$(LOGIN_SOURCES)) $(SANITIZER_OBJECT)
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(SODIUM) $(ARGON2) $(JANSSON)
$(BUILD)/bin/launchers/%: cli/launchers/%
	@install -D -m 755 $< $@

# It links libpam, and of ours only objects without state.
$(BUILD)/lib/pam_stepvault.so: $(call host,$(PAM_SOURCES))
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -shared $(if $(SANITIZE),,-Wl,-z,defs) $(HOST_LDFLAGS) -o $@ $^ $(PAM)
$(BUILD)/lib/libstepvault.so.0: $(call host,$(LIBRARY_SOURCES))
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -shared -Wl,-soname,libstepvault.so.0 $(if $(SANITIZE),,-Wl,-z,defs) $(HOST_LDFLAGS) -o $@ $^
$(BUILD)/lib/libstepvault.so: $(BUILD)/lib/libstepvault.so.0
	@ln -sf libstepvault.so.0 $@
# One object in the archive, with every symbol that is not exported made local: base_ names stay ours.
$(BUILD)/lib/libstepvault.a: $(call host,$(LIBRARY_SOURCES))
	@mkdir -p $(@D)
	@ld -r -o $(BUILD)/host/libstepvault.o $^
	@objcopy --localize-hidden $(BUILD)/host/libstepvault.o
	@rm -f $@
	$(call QUIET,AR)ar rcs $@ $(BUILD)/host/libstepvault.o

# ---- tests -----------------------------------------------------------------------------------------------

# Everything but the files that hold a main, for unit tests and fuzzers.
$(BUILD)/tests/everything.a: $(call host,$(TESTED_SOURCES)) $(INTERFACE_OBJECT) $(CATALOG_OBJECT)
	@mkdir -p $(@D)
	@rm -f $@
	$(call QUIET,AR)ar rcs $@ $^
TEST_LIBS = $(CMOCKA) $(SODIUM) $(SQLITE) $(ARGON2) $(JANSSON) $(CURL)

$(BUILD)/tests/unit/test_%: $(BUILD)/host/tests/unit/test_%.o $(call host,$(UNIT_HELPERS)) $(BUILD)/tests/everything.a
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/host/tests/fuzz/fuzz_%.o $(BUILD)/tests/everything.a
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(LINK_HARDENING) -fsanitize=fuzzer,address -o $@ $^ $(SODIUM) $(SQLITE) $(ARGON2) $(JANSSON) $(CURL)
# Helper programs of the crash tests, the bars and the CLI scripts.
$(addprefix $(BUILD)/tests/,$(TOOLS)): $(BUILD)/tests/%: $(BUILD)/host/tests/%.o $(BUILD)/tests/everything.a
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(SODIUM) $(SQLITE) $(ARGON2) $(JANSSON) $(CURL)
$(addprefix $(BUILD)/tests/,$(PAM_TOOLS)): $(BUILD)/tests/%: $(BUILD)/host/tests/%.o
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(PAM) $(if $(findstring ordinary,$@),-lpamtest) $(if $(SANITIZE),$(CRYPT))
# One program of several files.
$(BUILD)/tests/mutation/mutate: $(call host,$(wildcard tests/mutation/*.c)) $(BUILD)/tests/everything.a
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(SODIUM) $(SQLITE) $(ARGON2) $(JANSSON) $(CURL)
# The C steps: one reads the auths document as any program may, one asks the agent through the C library.
$(BUILD)/tests/peers/step: $(BUILD)/host/tests/peers/step.o
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $^ $(JANSSON)
$(BUILD)/tests/peers/library_step: $(BUILD)/host/tests/peers/library_step.o $(BUILD)/lib/libstepvault.so
	@mkdir -p $(@D)
	$(call QUIET,LD)$(CC) -pie $(HOST_LDFLAGS) -o $@ $< -L$(BUILD)/lib -lstepvault -Wl,-rpath,'$$ORIGIN/../../lib'

.PHONY: unit-programs fuzz-programs tools deps demo check check-long sanitize fuzz bench format lint
unit-programs: $(addprefix $(BUILD)/tests/unit/,$(UNIT_TESTS))
fuzz-programs: $(addprefix $(BUILD)/tests/fuzz/,$(FUZZERS))
tools: all $(addprefix $(BUILD)/tests/,$(TOOLS) $(PAM_TOOLS)) $(BUILD)/tests/mutation/mutate $(if $(CLIENT),$(BUILD)/tests/peers/step $(BUILD)/tests/peers/library_step)

SANITIZE_BUILD = BUILD=build/sanitize CC=gcc SANITIZE=address,undefined CFLAGS='-O1 -g'
FUZZ_BUILD = BUILD=build/fuzz CC=clang SANITIZE=fuzzer-no-link,address CFLAGS='-O1 -g'

sanitize:
	$(MAKE) $(SANITIZE_BUILD) all tools unit-programs
fuzz:
	$(MAKE) $(FUZZ_BUILD) fuzz-programs
	tests/run --only fuzz --fuzz-seconds $(FUZZ_SECONDS)

deps:
	tests/deps
demo: deps
	$(MAKE) all tools
	tests/demo
check: deps
	tests/run
check-long: deps
	tests/run --long
bench: all tools
	@for bar in tests/bench/*.sh; do echo "== $$bar"; "$$bar" || exit 1; done

C_FILES = $(wildcard vault/*.[ch] vault/*/*.[ch] cli/*.[ch] cli/*/*.[ch] pam/*.[ch] pam/*/*.[ch] tests/*.c tests/*/*.[ch])
format:
	clang-format -i $(C_FILES)
lint: all
	tests/run --only lint

# ---- install ---------------------------------------------------------------------------------------------

INSTALLED_DOCS = $(wildcard README.md docs/*.md vault/catalog/NOTICE)
MANUALS = $(wildcard docs/man/*.[1-8])
UNITS = $(patsubst vault/agent/systemd/%,%,$(wildcard vault/agent/systemd/user/* vault/agent/systemd/system/*))
to = $(DESTDIR)$(1)
# Where each shell looks for what completes a command.
BASH_COMPLETION = $(SHAREDIR)/bash-completion/completions/stepvault
ZSH_COMPLETION = $(SHAREDIR)/zsh/site-functions/_stepvault
FISH_COMPLETION = $(SHAREDIR)/fish/vendor_completions.d/stepvault.fish
# Where PAM looks for modules, and Debian for what its stacks are made of: not below PREFIX.
PAM_MODULES ?= /usr/lib/$(shell $(CC) -print-multiarch 2>/dev/null)/security
PAM_PROFILES ?= /usr/share/pam-configs
# Only on the machine itself, and not into the folder of a package.
PAM_KEPT = $(if $(DESTDIR),,/run/stepvault-pam)
PAM_UPDATE = $(if $(DESTDIR),:,$(shell command -v pam-auth-update || echo :))

.PHONY: install uninstall install-pam uninstall-pam clean
install: all
	install -d $(call to,$(BINDIR)) $(call to,$(LIBEXECDIR)) $(call to,$(LIBDIR)/pkgconfig) $(call to,$(INCLUDEDIR))
	install -m 755 $(BUILD)/bin/stepvault $(call to,$(BINDIR)/stepvault)
	install -m 755 $(addprefix $(BUILD)/bin/,stepvault-manage stepvault-agent stepvault-oauth stepvault-code) $(call to,$(LIBEXECDIR)/)
	install -m 711 $(BUILD)/bin/stepvault-login $(call to,$(LIBEXECDIR)/)
	install -D -m 755 -t $(call to,$(LIBEXECDIR)/launchers) $(patsubst cli/%,$(BUILD)/bin/%,$(LAUNCHERS))
	install -m 644 $(BUILD)/lib/libstepvault.so.0 $(BUILD)/lib/libstepvault.a $(call to,$(LIBDIR)/)
	ln -sf libstepvault.so.0 $(call to,$(LIBDIR)/libstepvault.so)
	install -m 644 vault/client/stepvault.h $(call to,$(INCLUDEDIR)/stepvault.h)
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' vault/client/stepvault.pc.in \
		| install -m 644 /dev/stdin $(call to,$(LIBDIR)/pkgconfig/stepvault.pc)
	for page in $(MANUALS); do install -D -m 644 -t $(call to,$(SHAREDIR))/man/man$${page##*.} $$page || exit 1; done
	install -D -m 644 -t $(call to,$(SHAREDIR)/doc/stepvault) $(INSTALLED_DOCS)
	$(if $(INTERFACE),install -D -m 644 -t $(call to,$(SHAREDIR)/stepvault) $(INTERFACE))
	install -d $(call to,$(LIBDIR)/systemd/user) $(call to,$(LIBDIR)/systemd/system)
	for unit in $(UNITS); do sed 's|@libexecdir@|$(LIBEXECDIR)|g; s|@bindir@|$(BINDIR)|g' vault/agent/systemd/$$unit | \
		install -m 644 /dev/stdin $(call to,$(LIBDIR)/systemd)/$$unit || exit 1; done
	install -D -m 644 cli/completion/stepvault.bash $(call to,$(BASH_COMPLETION))
	install -D -m 644 cli/completion/_stepvault $(call to,$(ZSH_COMPLETION))
	install -D -m 644 cli/completion/stepvault.fish $(call to,$(FISH_COMPLETION))
uninstall:
	rm -f $(call to,$(BINDIR)/stepvault) $(call to,$(LIBDIR))/libstepvault.* $(call to,$(INCLUDEDIR)/stepvault.h) \
		$(call to,$(LIBDIR)/pkgconfig/stepvault.pc) $(call to,$(BASH_COMPLETION)) \
		$(call to,$(ZSH_COMPLETION)) $(call to,$(FISH_COMPLETION)) \
		$(foreach page,$(MANUALS),$(call to,$(SHAREDIR)/man/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page)))) \
		$(addprefix $(call to,$(LIBDIR)/systemd/),$(UNITS))
	rm -rf $(call to,$(LIBEXECDIR)) $(call to,$(SHAREDIR)/doc/stepvault) $(call to,$(SHAREDIR)/stepvault)
install-pam: install
	install -D -m 644 -t $(call to,$(PAM_MODULES)) $(BUILD)/lib/pam_stepvault.so
	install -D -m 644 pam/stepvault.pam-config $(call to,$(PAM_PROFILES)/stepvault)
	DEBIAN_FRONTEND=noninteractive $(PAM_UPDATE) --package
# Out of the stacks first: a line without its module would be an error in each of them.
uninstall-pam:
	DEBIAN_FRONTEND=noninteractive $(PAM_UPDATE) --package --remove stepvault
	rm -f $(call to,$(PAM_MODULES)/pam_stepvault.so) $(call to,$(PAM_PROFILES)/stepvault)
	rm -rf $(PAM_KEPT)
clean:
	rm -rf build

-include $(shell find $(BUILD)/host $(BUILD)/musl -name '*.d' 2>/dev/null)

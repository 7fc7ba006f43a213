#!/bin/bash
# `make install` writes inside PREFIX only, what it installs works from there, a stranger's program builds against the
# C library by pkg-config, and `make uninstall` takes everything away again. TAP.
# limit: 300
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/install-XXXXXX")
prefix=$scratch/prefix
export HOME=$scratch/home XDG_RUNTIME_DIR=$scratch/run XDG_STATE_HOME=$scratch/state PKG_CONFIG_PATH=$prefix/lib/pkgconfig
mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR"
unset STEPVAULT_VAULT STEPVAULT_SOCKET STEPVAULT_STEP STEPVAULT_KEY_FILE CREDENTIALS_DIRECTORY XDG_DATA_HOME
number=0
output=

finish() {
    "$prefix/bin/stepvault" lock >/dev/null 2>&1
    rm -rf "$scratch"
}
trap finish EXIT

# verdict NAME COMMAND...: one test; what the command or the last `run` said explains a failure.
verdict() {
    local name=$1 said
    shift
    number=$((number + 1))
    if said=$("$@" 2>&1); then
        echo "ok $number - $name"
    else
        printf '%s\n%s\n' "$output" "$said" | sed 's/^/# /'
        echo "not ok $number - $name"
    fi
}

build() {
    make -C "$root" --no-print-directory -s -j2 BUILD="$scratch/build" PREFIX="$prefix" "$@"
}

# Files under a folder, relative, sorted.
files() {
    (cd "$1" && find . ! -type d | sort)
}

installed() {
    local file
    for file in bin/stepvault libexec/stepvault/stepvault-manage libexec/stepvault/stepvault-agent libexec/stepvault/stepvault-code \
        libexec/stepvault/launchers/node.cjs libexec/stepvault/launchers/python.py libexec/stepvault/launchers/bash.sh \
        lib/libstepvault.so.0 lib/libstepvault.so lib/libstepvault.a lib/pkgconfig/stepvault.pc include/stepvault.h \
        share/man/man1/stepvault.1 share/doc/stepvault/README.md share/doc/stepvault/NOTICE \
        share/bash-completion/completions/stepvault share/zsh/site-functions/_stepvault \
        share/fish/vendor_completions.d/stepvault.fish; do
        [ -e "$1/$file" ] || echo "$file is missing"
    done
}

nothing() {
    [ -z "$1" ] || {
        echo "$1"
        false
    }
}

is() {
    [ "$1" = "$2" ] || {
        printf 'got  %s\nwant %s\n' "$1" "$2"
        false
    }
}

# With the paths in the binaries asked for one folder and DESTDIR another, only DESTDIR may be written.
verdict "make install with DESTDIR succeeds" build install DESTDIR="$scratch/image"
verdict "nothing was written to PREFIX itself" test ! -e "$prefix"
verdict "everything in DESTDIR is inside PREFIX" nothing "$(files "$scratch/image" | grep -v "^.$prefix/")"
verdict "what belongs to an installation is there" nothing "$(installed "$scratch/image$prefix")"
verdict "no installed file is writable for others" nothing "$(find "$scratch/image" -type f -perm /022)"

verdict "make install succeeds" build install
verdict "it installs the same files" is "$(files "$prefix")" "$(files "$scratch/image$prefix")"
rm -rf "$scratch/build/bin"
verdict "the installed stepvault says its version" "$prefix/bin/stepvault" --version
verdict "it finds stepvault-manage and the agent" "$prefix/bin/stepvault" init --key-file "$scratch/key" --no-recovery
"$prefix/bin/stepvault" env set GREETING --at hello <<<"good morning" 2>/dev/null
"$prefix/bin/stepvault" account add demo <<<'{"token":"t"}' >/dev/null
"$prefix/bin/stepvault" bind hello demo
verdict "it runs a step" is "$("$prefix/bin/stepvault" run hello -- printenv GREETING 2>&1)" "good morning"
# shellcheck disable=SC2016 # the code's own
echo 'echo "$GREETING"' >"$scratch/code.sh"
echo 'console.log(process.env.GREETING)' >"$scratch/code.js"
printf 'import os\ndef handler(pd):\n    print(os.environ["GREETING"])\n' >"$scratch/code.py"
for ending in sh js py; do
    verdict "it runs code, .$ending" is "$("$prefix/bin/stepvault" run hello --code "$scratch/code.$ending" 2>&1)" "good morning"
done

cp "$root/tests/peers/library_step.c" "$scratch/step.c"
sed -i 's|<client/stepvault.h>|<stepvault.h>|' "$scratch/step.c"
shared() {
    # shellcheck disable=SC2046
    gcc -Wall -Werror -o "$scratch/shared" "$scratch/step.c" $(pkg-config --cflags --libs stepvault) &&
        LD_LIBRARY_PATH=$prefix/lib "$scratch/shared" hello GREETING
}
static() {
    # shellcheck disable=SC2046
    gcc -Wall -Werror -o "$scratch/static" "$scratch/step.c" $(pkg-config --cflags stepvault) "$prefix/lib/libstepvault.a" &&
        "$scratch/static" hello GREETING
}
cplusplus() {
    printf '#include <stepvault.h>\nint main() { stepvault_free(nullptr); }\n' >"$scratch/step.cc"
    # shellcheck disable=SC2046
    clang++ -Wall -Werror -fsyntax-only "$scratch/step.cc" $(pkg-config --cflags stepvault)
}
verdict "a program builds and runs with the shared library by pkg-config" shared
verdict "a program builds and runs with the static library" static
verdict "the header is good for C++" cplusplus

"$prefix/bin/stepvault" lock >/dev/null 2>&1
verdict "make uninstall succeeds" build uninstall
verdict "it leaves no file" nothing "$(files "$prefix")"
echo "1..$number"

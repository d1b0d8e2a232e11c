#!/bin/sh
# Installs the foreign clients and servers that interop tests talk to, where that is possible: as root on Debian.
# Anywhere else, and whenever a package cannot be had, it says so and the tests that want it are skipped.
# It starts no service, ends within SECONDS_AT_MOST and never fails.
set -u
SECONDS_AT_MOST=${SECONDS_AT_MOST:-300}
cd "$(dirname "$0")"
unpacked=$(cd ../.. && pwd)/build/unpacked

say() { echo "interop: $*"; }
started=$(date +%s)
left() { # seconds that remain, at least 1
    rest=$((SECONDS_AT_MOST - $(date +%s) + started))
    [ "$rest" -gt 0 ] || rest=1
    echo "$rest"
}

if [ -n "${QUINTET_NO_INSTALL:-}" ]; then say "not installing peers: QUINTET_NO_INSTALL is set"; exit 0; fi

# imapflow for Node, below build/npm, by a lock file with hashes and without addresses; no root is needed
npm=$(cd ../.. && pwd)/build/npm
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    say "not installing imapflow: no node and npm here"
elif [ ! -d "$npm/node_modules/imapflow" ] || ! cmp -s npm/package-lock.json "$npm/package-lock.json"; then
    say "installing imapflow"
    mkdir -p "$npm" && cp npm/package.json npm/package-lock.json "$npm"
    timeout -k 10 "$(($(left) / 2))" npm ci --prefix "$npm" --silent --no-audit --no-fund --ignore-scripts </dev/null ||
        { say "npm ended with an error: no imapflow"; rm -rf "$npm"; }
fi

if ! command -v apt-get >/dev/null 2>&1; then say "not installing peers: no apt-get here"; exit 0; fi

absent=
for name in $(sed 's/#.*//' packages.txt); do
    # half-configured will do: the tests bring their own configuration
    case "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" in
        installed | unpacked | half-configured | triggers-*) ;;
        *) absent="$absent $name" ;;
    esac
done
rolled= # packages that are to be unpacked only
while read -r name program; do
    case $name in '' | '#'*) continue ;; esac
    [ -e "$unpacked/$program" ] || rolled="$rolled $name"
done <unpacked.txt
[ -n "$absent$rolled" ] || exit 0
if [ "$(id -u)" != 0 ]; then say "not installing peers (not root), absent:$absent$rolled"; exit 0; fi

export DEBIAN_FRONTEND=noninteractive

# Packages start their services after installation unless this file forbids it.
guard=/usr/sbin/policy-rc.d
log=$(mktemp)
scratch=$(mktemp -d)
trap 'rm -rf "$log" "$scratch"' EXIT
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard" && chmod 755 "$guard"
    trap 'rm -rf "$guard" "$log" "$scratch"' EXIT
fi
trap 'exit 0' INT TERM HUP

install() { # packages
    timeout -k 10 "$(left)" apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1 ||
        { say "apt-get install ended with an error; its last words:"; tail -n 3 "$log"; }
}

say "installing$absent$rolled"
timeout "$(left)" apt-get update -qq >"$log" 2>&1 || say "apt-get update failed; going on with what is known"
known=
for name in $absent; do
    if apt-cache show "$name" >/dev/null 2>&1; then known="$known $name"; else say "no package $name here"; fi
done
# shellcheck disable=SC2086 # a list of words
[ -z "$known" ] || install $known

for name in $rolled; do
    if ! (cd "$scratch" && timeout "$(left)" apt-get download -qq "$name" >>"$log" 2>&1); then
        say "cannot download $name"
        continue
    fi
    package=$(ls "$scratch/${name}"_*.deb)
    # the first of each set of alternatives, without versions; only libraries: the rest are other parts of it
    needs=$(dpkg-deb -f "$package" Depends | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/:any//' | grep -E '^ *lib' | tr -d '\n')
    # shellcheck disable=SC2086 # a list of words
    [ -z "$needs" ] || install $needs
    mkdir -p "$unpacked" && dpkg-deb -x "$package" "$unpacked" || say "cannot unpack $name"
done
exit 0

#!/bin/sh
# Installs the foreign clients and servers that interop tests talk to, where that is possible: as root on Debian.
# Anywhere else, and whenever a package cannot be had, it says so and the tests that want it are skipped.
# It starts no service, ends within SECONDS_AT_MOST and never fails.
set -u
SECONDS_AT_MOST=${SECONDS_AT_MOST:-300}
cd "$(dirname "$0")"

say() { echo "interop: $*"; }
if [ -n "${QUINTET_NO_INSTALL:-}" ]; then say "not installing peers: QUINTET_NO_INSTALL is set"; exit 0; fi
if ! command -v apt-get >/dev/null 2>&1; then say "not installing peers: no apt-get here"; exit 0; fi

absent=
for name in $(sed 's/#.*//' packages.txt); do
    # half-configured will do: the tests bring their own configuration
    case "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" in
        installed | unpacked | half-configured | triggers-*) ;;
        *) absent="$absent $name" ;;
    esac
done
[ -n "$absent" ] || exit 0
if [ "$(id -u)" != 0 ]; then say "not installing peers (not root), absent:$absent"; exit 0; fi

export DEBIAN_FRONTEND=noninteractive
started=$(date +%s)
left() { # seconds that remain, at least 1
    rest=$((SECONDS_AT_MOST - $(date +%s) + started))
    [ "$rest" -gt 0 ] || rest=1
    echo "$rest"
}

# Packages start their services after installation unless this file forbids it.
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard" && chmod 755 "$guard"
    trap 'rm -f "$guard"' EXIT
    trap 'exit 0' INT TERM HUP
fi

log=$(mktemp)
say "installing$absent"
timeout "$(left)" apt-get update -qq >"$log" 2>&1 || say "apt-get update failed; going on with what is known"
known=
for name in $absent; do
    if apt-cache show "$name" >/dev/null 2>&1; then known="$known $name"; else say "no package $name here"; fi
done
if [ -n "$known" ]; then
    # shellcheck disable=SC2086 # a list of words
    timeout -k 10 "$(left)" apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $known >>"$log" 2>&1 ||
        { say "apt-get install ended with an error; its last words:"; tail -n 3 "$log"; }
fi
rm -f "$log"
exit 0

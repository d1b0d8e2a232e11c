#!/bin/sh
# Makes .venv from requirements.lock with the interpreter that PYTHON names, else with a suitable one of this machine.
# "venv.sh made with PYTHON" only tells whether it was made with that one.
set -eu
cd "$(dirname "$0")/.."

interpreter() { "$1" -c 'import os, sys; print(os.path.realpath(sys._base_executable))' 2>/dev/null || echo none; }

if [ "${1:-}" = made ]; then
    test "$(interpreter .venv/bin/python)" = "$(interpreter "$3")"
    exit
fi

suitable() { # CPython 3.11 to 3.14 that can make an environment with pip
    "$1" -c 'import sys, platform, venv, ensurepip
sys.exit(not (platform.python_implementation() == "CPython" and (3, 11) <= sys.version_info[:2] < (3, 15)))' \
        >/dev/null 2>&1
}

give_up() {
    echo "Quintet needs CPython 3.11 to 3.14 with the modules venv and ensurepip$1." >&2
    echo "On Debian and Ubuntu: apt-get install python3 python3-venv. Another place: make PYTHON=/path/to/python3.12 ..." >&2
    exit 1
}

if [ -n "${PYTHON:-}" ]; then
    suitable "$PYTHON" || give_up "; '$PYTHON' is not one"
    named=yes
else
    for PYTHON in python3 python3.14 python3.13 python3.12 python3.11 ''; do
        [ -n "$PYTHON" ] || give_up "; none was found"
        ! suitable "$PYTHON" || break
    done
fi

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none; }

# A moved checkout, a removed interpreter or another PYTHON leaves an environment that is of no use.
if [ -e .venv ] && [ -n "${named:-}" ] && [ "$(interpreter .venv/bin/python)" != "$(interpreter "$PYTHON")" ]; then
    rm -rf .venv
elif [ -e .venv ] && [ "$(version .venv/bin/python)" != "$(version "$PYTHON")" ]; then
    rm -rf .venv
elif [ -e .venv ] && ! .venv/bin/pip --version >/dev/null 2>&1; then
    rm -rf .venv
fi

if [ ! -e .venv ]; then
    echo "Making .venv with $("$PYTHON" --version): $(grep -c == requirements.lock) packages, once, in a minute or two ..."
    "$PYTHON" -m venv .venv
fi
pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input -qq "$@"; }
# The lock file is whole, so nothing is resolved anew: pip takes the newest release for a requirement with an extra
# (coverage[toml]) although the lock pins another, and then refuses it for want of a hash.
pip install --no-deps --require-hashes -r requirements.lock
pip install --no-deps --no-build-isolation -e .
touch .venv/.stamp

#!/bin/sh
# Writes the lock files anew: the newest versions that pyproject.toml allows, for every supported Python, Linux and
# macOS at once, each with the hashes of its files and without any address. The resolver is a tool of this command
# only; it lives in its own environment under build/.
set -eu
cd "$(dirname "$0")/.."
tool=build/lock
[ -x "$tool/bin/uv" ] || { .venv/bin/python -m venv "$tool" && "$tool/bin/pip" install -q --disable-pip-version-check uv; }

pin() { # pin OUTPUT ARGUMENTS...
    output=$1
    shift
    "$tool/bin/uv" pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file "$output" "$@"
    ! grep -n '://' "$output" || { echo "$output: holds an address" >&2; exit 1; }
}

pin requirements.lock pyproject.toml --extra postgres --extra images --group dev
pin requirements-fuzz.lock --group fuzz
echo "Pinned. Now: make test check"

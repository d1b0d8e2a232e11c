#!/bin/sh
# Adds the coverage-guided fuzzing engine to .venv where it has a wheel; elsewhere the targets mutate at random.
set -u
cd "$(dirname "$0")/.."
.venv/bin/python -c 'import atheris' 2>/dev/null && exit 0
.venv/bin/python -m pip --disable-pip-version-check --no-input -q install --require-hashes --only-binary :all: \
    -r requirements-fuzz.lock 2>/dev/null || echo "fuzz: no atheris for this machine, mutating at random"
exit 0

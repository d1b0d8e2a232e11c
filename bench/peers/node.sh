#!/bin/sh
# Fetches the peers that are Node programs (Haraka, smtp-server) into build/node, where npm is there.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/node
cd build/node
exec npm install --no-audit --no-fund --no-save --omit=dev --ignore-scripts smtp-server Haraka

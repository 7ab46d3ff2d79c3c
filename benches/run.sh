#!/usr/bin/env bash
# Builds what is needed and runs the given rows of the table, or all: benches/run.sh [ROW...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Building a benchmark also builds the binary, with features that only tests need; so the binary is built last.
RIG=$(cargo build --locked --release --bench rig --message-format json | python3 -c '
import json, sys
for line in sys.stdin:
    unit = json.loads(line)
    if unit.get("executable") and unit["target"]["name"] == "rig":
        print(unit["executable"])')
export RIG
cargo build --locked --release
if [[ ! -x target/peers/bin/oha ]]; then
    CARGO_TARGET_DIR=target/peers/build cargo install oha --version 1.16.0 --locked --root target/peers
fi
exec python3 benches/run.py "$@"

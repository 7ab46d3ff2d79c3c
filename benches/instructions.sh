#!/usr/bin/env bash
# Instructions a key, ours and the floor's: the difference of two sizes of job, so that starting and ending do not
# count. Unmoved by other load on the machine. Needs valgrind. Counts user space only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${RIG:=$(cargo build --locked --release --bench rig --message-format json | python3 -c '
import json, sys
for line in sys.stdin:
    unit = json.loads(line)
    if unit.get("executable") and unit["target"]["name"] == "rig":
        print(unit["executable"])')}"
: "${KVSWEEP:=$(cargo build --locked --release --message-format json | python3 -c '
import json, sys
for line in sys.stdin:
    unit = json.loads(line)
    if unit.get("executable") and unit["target"]["name"] == "kvsweep":
        print(unit["executable"])')}"
work=$(mktemp -d)
coproc SERVER { exec "$RIG" server; }
trap 'kill "$SERVER_PID"; rm -rf "$work"' EXIT
read -r where <&"${SERVER[0]}"
url=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["http"])' "$where")
export CLOUDFLARE_API_BASE_URL=$url CLOUDFLARE_API_TOKEN=any CLOUDFLARE_ACCOUNT_ID=acc CLOUDFLARE_KV_NAMESPACE_ID=ns
few=2000 many=12000

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null | sed -n 's/.*Collected : //p'
}
ours() {
    "$RIG" keys "$1" "$work/keys.csv"
    instructions "$KVSWEEP" delete "$work/keys.csv" --yes --rate none --concurrency 64 --progress never \
        --report "$work/report.csv" --overwrite
}
floor() {
    instructions "$RIG" floor "$url/accounts/acc/storage/kv/namespaces/ns/values/session%3Auser%2F00000001%3A9e3779b1" \
        "$1" 64
}
for what in ours floor; do
    before=$($what $few)
    after=$($what $many)
    printf '{"instructions_per_key":"%s","median":%d}\n' "$what" $(((after - before) / (many - few)))
done

#!/usr/bin/env bash
# What takes too long for each change: many cases for parsers, many seeds of faults, speed beside a
# program on the object_store crate; then a long bad day, many small images against the emulator with
# faults, and a proof that all is there once and that memory did not grow with their number. Half an
# hour. Needs what scripts/test.sh needs; run that first.
#
# Usage: scripts/soak.sh [IMAGES]     (default: 1,000,000)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
images=${1:-1000000}
target=${CARGO_TARGET_DIR:-$PWD/target}
export PATH=$PATH:$target/test-tools/venv/bin

step "many cases, many seeds"
# Decoders and parsers with many more cases than the tests give them.
PROPTEST_CASES=20000 cargo test --quiet --locked --lib -- any_ accepted_
IDX2GCS_TEST_SEEDS=5 cargo nextest run --locked --test e2e chaos

step "speed, in short: not slower than a program on the object_store crate"
scripts/bench.sh --quick

step "$images images"
cargo build --release --locked
program=$(cd "$target/release" && pwd)/idx2gcs
desk=$(mktemp -d)
emulator=
trap 'kill "$emulator" 2>/dev/null || true; rm -rf "$desk"' EXIT
cd "$desk"

# A data set of 8 × 8 noise, IMAGES to train and 100 to test.
make_set() {
    mkdir -p "$1"
    python3 - "$1" "$2" <<'PYTHON'
import os, struct, sys
folder, train = sys.argv[1], int(sys.argv[2])
for stem, count in (("train", train), ("t10k", 100)):
    with open(f"{folder}/{stem}-images-idx3-ubyte", "wb") as out:
        out.write(struct.pack(">IIII", 0x803, count, 8, 8))
        for start in range(0, count, 10000):
            out.write(os.urandom(64 * min(10000, count - start)))
    with open(f"{folder}/{stem}-labels-idx1-ubyte", "wb") as out:
        out.write(struct.pack(">II", 0x801, count))
        out.write(bytes(i % 10 for i in range(count)))
PYTHON
}

run() {
    local name=$1 count=$2
    make_set "$name" "$count"
    start_emulator "$program" "$name.log" --bucket soak --error-rate 0.01 --reset-rate 0.003 \
        --lost-ack-rate 0.003 --stall-rate 0.00001 --latency 1ms --jitter 1ms
    local args=(--source "$name" --to "gs://soak/$name" --endpoint "$endpoint" --validation 1000
        --out "$name.out" --concurrency 256 --progress none)
    export IDX2GCS_RETRY_INITIAL_BACKOFF=100ms IDX2GCS_RETRY_ATTEMPT_TIMEOUT=5s
    "$program" load "${args[@]}"
    "$program" verify "${args[@]}"
    python3 - "$name.out/summary.json" "$count" <<'PYTHON'
import json, sys
summary, count = json.load(open(sys.argv[1])), int(sys.argv[2]) + 100
assert summary["uploaded"] == summary["images"] == count, summary
print(f"  peak memory {summary['peak_rss_bytes'] / 1e6:.1f} MB")
PYTHON
    curl -s "$endpoint/_emulator/counters" | python3 -c '
import json, sys
counters = json.load(sys.stdin)
assert counters["overwrites"] == 0, counters
print("  no overwrite;", counters["faults"])'
    kill "$emulator"
    wait "$emulator" || true
    rm -r "$name"
}

run tenth $((images / 10))
run whole "$images"
python3 - <<'PYTHON'
import json
tenth, whole = (json.load(open(f"{name}.out/summary.json")) for name in ("tenth", "whole"))
# What may grow: a bit and a byte an image for split and labels, and the allocator's slack.
allowed = tenth["peak_rss_bytes"] + 8 * whole["images"] + 4_000_000
assert whole["peak_rss_bytes"] <= allowed, (tenth["peak_rss_bytes"], whole["peak_rss_bytes"])
print("memory is flat: ten times the images,", 
      f"{whole['peak_rss_bytes'] / tenth['peak_rss_bytes']:.2f} times the memory")
PYTHON

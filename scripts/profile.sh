#!/usr/bin/env bash
# Draws where the time of a load goes: a flame graph of loading Fashion-MNIST into the emulator, which
# runs in a second process and is not in the picture. Needs Linux's perf.
#
# Usage: scripts/profile.sh [FLAGS OF idx2gcs load]     (such as --concurrency 256)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
target=${CARGO_TARGET_DIR:-$PWD/target}
profile=$target/profile
tools=$target/bench-tools
export PATH=$tools/bin:$PATH

if ! command -v perf >/dev/null; then
    echo "perf is missing: it is in Debian's package linux-perf, in Ubuntu's linux-tools-generic" >&2
    exit 1
fi
if ! command -v inferno-flamegraph >/dev/null; then
    cargo install --quiet --locked --root "$tools" --no-default-features --features cli inferno
fi

# The release build, with symbols and with frame pointers, by which perf finds the callers.
CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_PROFILE_RELEASE_STRIP=none \
    RUSTFLAGS="${RUSTFLAGS:-} -C force-frame-pointers=yes" \
    cargo build --release --locked --target-dir "$profile"
program=$profile/release/idx2gcs
folder=$(scripts/fashion-mnist.sh "$program")

desk=$(mktemp -d)
emulator=
trap 'kill "$emulator" 2>/dev/null || true; rm -rf "$desk"' EXIT
start_emulator "$program" "$desk/log" --bucket profile

perf record --quiet --freq 997 --call-graph fp --output "$desk/perf.data" -- \
    "$program" load --source "$folder" --to gs://profile/set --endpoint "$endpoint" \
    --out "$desk/out" --progress none "$@"
perf script --input "$desk/perf.data" 2>/dev/null | inferno-collapse-perf >"$desk/folded"
[ -s "$desk/folded" ] || { echo "perf took no samples" >&2; exit 1; }
inferno-flamegraph --title "idx2gcs load" "$desk/folded" >"$profile/load.svg"
echo "$profile/load.svg"

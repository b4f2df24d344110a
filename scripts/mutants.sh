#!/usr/bin/env bash
# Whether unit tests notice that the code is wrong: cargo-mutants changes one operator, constant or
# result after the other in the rooms that neither read nor write anything, and runs their unit tests.
# Of each room's changes that compile at least 90 % must make a test fail. Takes hours; not part of CI.
#
# Installs cargo-mutants into the target folder. What it was that no test noticed is listed in
# target/mutants/ROOM/mutants.out/missed.txt.
#
# Usage: scripts/mutants.sh [ROOM…]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
target=${CARGO_TARGET_DIR:-$PWD/target}
export PATH=$PATH:$target/tools/bin

# room: files, and the tests beside them
declare -A files=(
    [split]='src/split/*.rs'
    [naming]='src/naming/*.rs'
    [findings]='src/check/findings/*.rs'
    [policy]='src/retry/policy.rs'
    [backoff]='src/retry/backoff.rs'
    [limiter]='src/pace/limiter/*.rs'
    [decision]='src/pipeline/decision.rs'
)
declare -A tests=(
    [split]=split:: [naming]=naming:: [findings]=check:: [policy]=retry:: [backoff]=retry::
    [limiter]=pace:: [decision]=pipeline::
)
rooms=("$@")
[ $# -gt 0 ] || rooms=(split naming findings policy backoff limiter decision)

if ! cargo mutants --version >/dev/null 2>&1; then
    step "cargo-mutants"
    cargo install --locked --root "$target/tools" cargo-mutants
fi
failed=0
for room in "${rooms[@]}"; do
    step "$room"
    out=$target/mutants/$room
    mkdir -p "$out"
    # It copies the tree, and builds the copy in a folder of its own.
    env -u CARGO_TARGET_DIR cargo mutants --package idx2gcs --file "${files[$room]}" --output "$out" \
        --jobs 1 --minimum-test-timeout 60 --no-times --colors never \
        -- --lib "${tests[$room]}" || [ $? -le 3 ]
    count() { wc -l <"$out/mutants.out/$1.txt"; }
    caught=$(($(count caught) + $(count timeout)))
    viable=$((caught + $(count missed)))
    echo "$room: $caught of $viable caught"
    [ $((caught * 100)) -ge $((viable * 90)) ] || failed=1
done
exit $failed

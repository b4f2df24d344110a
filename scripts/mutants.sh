#!/usr/bin/env bash
# Whether unit tests notice that the code is wrong: cargo-mutants changes one operator, constant or
# result after the other in the rooms that neither read nor write anything, and runs their unit tests.
# Of each room's changes that compile at least 90 % must make a test fail. Takes half an hour; not part
# of CI.
#
# Installs cargo-mutants into the target folder. Changes that no test noticed are listed in
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

# A copy of the crate that has only these rooms and what they need builds in a second or two for each
# change, where the whole takes half a minute.
copy=$target/mutants/copy
rm -rf "$copy"
mkdir -p "$copy"
cp -r Cargo.toml Cargo.lock benches crates docs src tests "$copy"
cat >"$copy/src/lib.rs" <<'RUST'
#![allow(warnings)]
mod classes;
mod model;
mod naming;
mod split;
mod text;
mod check {
    mod findings;
    mod frequencies;
    pub use {findings::*, frequencies::*};
}
mod pace {
    mod limiter;
}
mod pipeline {
    mod decision;
    mod state;
    use state::State;
}
mod retry {
    mod backoff;
    mod policy;
}
mod sink {
    mod body;
    mod fault;
    mod object;
    mod options;
    pub use {body::*, fault::*, object::*, options::*};
}
RUST

failed=0
for room in "${rooms[@]}"; do
    step "$room"
    out=$target/mutants/$room
    mkdir -p "$out"
    CARGO_TARGET_DIR=$target/mutants/build cargo mutants --dir "$copy" --in-place --package idx2gcs \
        --file "${files[$room]}" --output "$out" --no-default-features --minimum-test-timeout 60 \
        --no-times --colors never -C=--lib -- "${tests[$room]}" || [ $? -le 3 ]
    count() { wc -l <"$out/mutants.out/$1.txt"; }
    caught=$(($(count caught) + $(count timeout)))
    viable=$((caught + $(count missed)))
    echo "$room: $caught of $viable caught"
    [ $((caught * 100)) -ge $((viable * 90)) ] || failed=1
done
exit $failed

#!/usr/bin/env bash
# Loads the same images into the same storage, `idx2gcs emulate`, with idx2gcs and with what one would
# use instead, and prints a table of images a second, CPU time and memory. Gets what it needs into
# target/bench-tools; rclone, wrk and Python's venv as Debian packages where it runs as root. About ten
# minutes.
#
# Usage: scripts/bench.sh [OPTIONS]
#   --images N     images (default: 70,000); slow contenders get a part of them
#   --rounds R     how often each runs, in turn (default: 3); medians are shown
#   --quick        only idx2gcs and object_store, and nothing but the rate without latency: half a
#                  minute. Fails if idx2gcs is slower than object_store
#   --at-least X   fails if idx2gcs is not X times as fast as object_store (default with --quick: 1.0)
#   --write        puts the table into docs/benchmarks.md
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
tools=$target/bench-tools
quick=
for argument in "$@"; do
    case $argument in
        --quick) quick=1 ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
    esac
done

step() { printf '== %s\n' "$*" >&2; }
missing=()

# Installs a Debian package for a program that is not there; false if it cannot.
have() {
    local program=$1 package=$2
    command -v "$program" >/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    step "installing $package"
    apt-get update -q >/dev/null &&
        apt-get install -y -q --no-install-recommends "$package" >/dev/null || return 1
}

step "build"
cargo build --quiet --release --locked
cargo build --quiet --release --locked --manifest-path scripts/bench/object-store/Cargo.toml \
    --target-dir "$tools/build"
program=$target/release/idx2gcs
folder=$(scripts/fashion-mnist.sh "$program")

if [ -z "$quick" ]; then
    step "tools"
    venv=$tools/venv
    requirements=scripts/bench/requirements.txt
    if ! cmp -s "$requirements" "$venv/installed.txt"; then
        rm -rf "$venv"
        python3 -m venv "$venv" 2>/dev/null ||
            { have no-such-program python3-venv; rm -rf "$venv"; python3 -m venv "$venv"; } || true
        if "$venv/bin/pip" install --quiet -r "$requirements"; then
            cp "$requirements" "$venv/installed.txt"
        else
            missing+=(--missing "python=its packages cannot be installed")
        fi
    fi
    have wrk wrk || missing+=(--missing "wrk=not installed, and no Debian package to be had")
    have rclone rclone || missing+=(--missing "rclone=not installed, and no Debian package to be had")
    command -v gcloud >/dev/null || missing+=(--missing "gcloud=not installed")
fi

# A connection is an open file, and some contenders open a thousand.
ulimit -n "$(ulimit -Hn)"
python3 scripts/bench/run.py --program "$program" --tools "$tools" --folder "$folder" \
    "${missing[@]}" "$@"

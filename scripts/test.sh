#!/usr/bin/env bash
# All tests and checks: format, lints, dependencies, every test (those too that a plain `cargo test`
# leaves out because they need a tool), documentation.
#
# Needs Rust, Python 3, unzip, Chromium or Chrome, on its first run the network, and 4 GB of disk.
# Where something is missing it is installed:
#   into the target folder  a Python environment of some 650 MB (Google's clients, fake-gcs-server,
#                           datasets, pandas, Pillow, schemas of Kubernetes, shellcheck), cargo-nextest and cargo-deny
#   into ~/.cache/idx2gcs   Fashion-MNIST, 30 MB, unless this machine has it elsewhere
#   by rustup               rustfmt and clippy
#   by apt-get              python3-venv, unzip, chromium; as root or with sudo, on Debian and Ubuntu.
#                           Elsewhere it says what to install
# No test is left out: what cannot be had is an error. That with a real Slurm is scripts/slurm.sh, which needs
# to be root on Debian or Ubuntu and runs by hand.
#
# Usage: scripts/test.sh [ARGUMENTS OF cargo nextest run]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
target=${CARGO_TARGET_DIR:-$PWD/target}
tools=$target/test-tools
mkdir -p "$tools"

step "tools"
venv=$tools/venv
requirements=(scripts/tools.txt tests/e2e/conformance/requirements.txt)
if ! cat "${requirements[@]}" | cmp -s - "$venv/installed.txt"; then
    rm -rf "$venv"
    # Debian keeps venv, and some images Python itself, in packages of their own.
    if ! python3 -m venv "$venv" 2>/dev/null; then
        rm -rf "$venv"
        apt_install "Python's venv is missing" python3 python3-venv
        python3 -m venv "$venv"
    fi
    "$venv/bin/pip" install --quiet --no-compile "${requirements[@]/#/--requirement=}"
    cat "${requirements[@]}" >"$venv/installed.txt"
fi
# What the machine has of its own goes first.
export PATH=$PATH:$venv/bin
fake=$(find "$venv" -path '*fake_gcs_server*' -type f -name 'fake-gcs-server-*' | head -n 1)
[ -n "$fake" ] || { echo "the package has no fake-gcs-server for this system" >&2; exit 1; }
chmod +x "$fake"
command -v unzip >/dev/null || apt_install "unzip is missing" unzip
browser=${IDX2GCS_TEST_CHROMIUM:-}
for program in chromium chromium-browser google-chrome google-chrome-stable \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    [ -n "$browser" ] || browser=$(type -P "$program" || true)
done
if [ -z "$browser" ]; then
    apt_install "Chromium is missing" chromium
    browser=$(type -P chromium)
fi
export IDX2GCS_TEST_PYTHON=$venv/bin/python IDX2GCS_TEST_FAKE_GCS=$fake IDX2GCS_TEST_CHROMIUM=$browser
for component in rustfmt clippy; do
    cargo "${component/rust/}" --version >/dev/null 2>&1 || rustup component add "$component"
done
echo "in $tools; $browser; $(cargo nextest --version | head -n 1); $(cargo deny --version)"

step "format and lints"
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo clippy --locked --package idx2gcs --no-default-features --lib -- -D warnings

step "dependencies"
cargo deny --log-level error check licenses bans sources
if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --log-level error check advisories
else
    echo "NOT CHECKED: the advisory database cannot be reached from here"
fi
library=$(cargo tree --locked --package idx2gcs --no-default-features --edges normal --prefix none)
if grep -E '^(axum|clap|indicatif|tracing-subscriber) ' <<<"$library"; then
    echo "the library alone needs these, which are the program's" >&2
    exit 1
fi

step "tests"
cargo nextest run --locked --workspace --no-run
IDX2GCS_TEST_FASHION_MNIST=$(scripts/fashion-mnist.sh "$target/debug/idx2gcs")
export IDX2GCS_TEST_FASHION_MNIST
cargo nextest run --locked --workspace --no-fail-fast --run-ignored all "$@"

step "examples"
"$target/debug/examples/sink"
rm -rf "$tools/example"
"$target/debug/examples/folder" "$tools/example"

step "Python package"
PATH=$target/debug:$PATH PYTHONPATH=python PYTHONDONTWRITEBYTECODE=1 \
    "$venv/bin/python" -W error::ResourceWarning -m unittest discover --start-directory python/tests

step "documentation"
cargo test --locked --workspace --doc --quiet
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet

#!/usr/bin/env bash
# All tests and checks. Installs what they need into the target folder: cargo-nextest and cargo-deny
# where they are missing, the Python packages of tests/e2e/conformance (Google's client, datasets,
# pandas, Pillow; about a minute and 500 MB), fake-gcs-server, and Fashion-MNIST; and Chromium, from
# Debian's package where there is no browser of that family.
#
# Usage: scripts/test.sh [ARGUMENTS OF cargo nextest run]
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
tools=$target/test-tools
mkdir -p "$tools"
export PATH=$tools/bin:$PATH

step() { printf '\n== %s\n' "$*"; }

apt_install() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" apt-get install -y -q --no-install-recommends "$@"
}

for tool in nextest deny; do
    if ! cargo "$tool" --version >/dev/null 2>&1; then
        step "installing cargo-$tool"
        cargo install --quiet --locked --root "$tools" "cargo-$tool"
    fi
done

step "the Python packages that read what a load leaves, and fake-gcs-server"
requirements=tests/e2e/conformance/requirements.txt
venv=$tools/venv
if ! cmp -s "$requirements" "$venv/installed.txt"; then
    rm -rf "$venv"
    if ! python3 -m venv "$venv" 2>/dev/null; then
        # Debian keeps venv, and some images Python itself, in packages of their own.
        apt_install python3 python3-venv
        rm -rf "$venv"
        python3 -m venv "$venv"
    fi
    "$venv/bin/pip" install --quiet -r "$requirements"
    cp "$requirements" "$venv/installed.txt"
fi
fake=$(find "$venv" -path '*fake_gcs_server*' -type f -name 'fake-gcs-server-*' | head -n 1)
[ -n "$fake" ] || { echo "the package has no fake-gcs-server for this system" >&2; exit 1; }
chmod +x "$fake"
export IDX2GCS_TEST_PYTHON=$venv/bin/python IDX2GCS_TEST_FAKE_GCS=$fake

step "Chromium"
browsers=(chromium chromium-browser google-chrome google-chrome-stable)
if [ -z "${IDX2GCS_TEST_CHROMIUM:-}" ]; then
    IDX2GCS_TEST_CHROMIUM=$(type -P "${browsers[@]}" | head -n 1 || true)
fi
if [ -z "$IDX2GCS_TEST_CHROMIUM" ]; then
    apt_install chromium
    IDX2GCS_TEST_CHROMIUM=$(type -P chromium)
fi
export IDX2GCS_TEST_CHROMIUM
echo "$IDX2GCS_TEST_CHROMIUM"

step "format and lints"
for tool in fmt clippy; do
    cargo "$tool" --version >/dev/null 2>&1 || rustup component add "${tool/fmt/rustfmt}"
done
cargo fmt --all --check
cargo clippy --locked --all-targets -- -D warnings
cargo clippy --locked --package idx2gcs --no-default-features --lib -- -D warnings

step "dependencies"
cargo deny --log-level error check licenses bans sources
if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --log-level error check advisories
else
    echo "NOT CHECKED: the advisory database cannot be reached from here"
fi

step "build"
cargo build --locked
IDX2GCS_TEST_FASHION_MNIST=$(scripts/fashion-mnist.sh "$target/debug/idx2gcs")
export IDX2GCS_TEST_FASHION_MNIST

step "tests"
cargo nextest run --locked --no-fail-fast --run-ignored all "$@"
cargo test --locked --doc
cargo run --quiet --locked --example sink
cargo run --quiet --locked --example folder -- "$(mktemp -d)"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

step "speed, in short: not slower than a program on the object_store crate"
scripts/bench.sh --quick

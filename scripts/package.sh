#!/usr/bin/env bash
# Makes what is released for one target, in dist/: the archive (program, completions, man page, licences)
# with its checksum, the wheel, for x86_64 Linux the container image as an OCI archive, and SHA256SUMS.
#
# Linux targets are linked against musl: one static program runs everywhere. Installs what is missing into
# the target folder (maturin), by rustup (the target) and by apt-get (musl-tools, buildah; mingw-w64 for
# Windows).
#
# Usage: scripts/package.sh [x86_64-unknown-linux-musl | aarch64-unknown-linux-musl |
#                            x86_64-pc-windows-gnu | aarch64-apple-darwin]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
target=${1:-x86_64-unknown-linux-musl}
built=${CARGO_TARGET_DIR:-$PWD/target}
tools=$built/package-tools
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=idx2gcs-$version-$target
dist=$PWD/dist
extension=
compatibility=(pypi)
mkdir -p "$tools" "$dist"

step "tools"
rustup target list --installed | grep -qx "$target" || rustup target add "$target"
case $target in
*-linux-musl)
    command -v musl-gcc >/dev/null || apt_install "musl-gcc is missing" musl-tools
    # The lowest that both names stand for: a static program needs no C library.
    compatibility=(manylinux2014 musllinux_1_2)
    ;;
*-windows-gnu)
    command -v x86_64-w64-mingw32-gcc >/dev/null ||
        apt_install "mingw-w64 is missing" gcc-mingw-w64-x86-64
    extension=.exe
    ;;
esac
if [ ! -x "$tools/bin/maturin" ]; then
    python3 -m venv "$tools" || {
        apt_install "Python's venv is missing" python3-venv
        python3 -m venv "$tools"
    }
    "$tools/bin/pip" install --quiet 'maturin>=1.9,<2'
fi

step "program"
cargo build --release --locked --target "$target"
program=$built/$target/release/idx2gcs$extension

step "archive"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/$name/completions" "$stage/$name/man"
cp "$program" README.md CHANGELOG.md LICENSE-* "$stage/$name/"
# What the program says of itself does not depend on the target; one for this machine says it.
if "$program" --version >/dev/null 2>&1; then
    own=$program
else
    cargo build --locked
    own=$built/debug/idx2gcs
fi
for shell in bash zsh fish powershell elvish; do
    "$own" completions "$shell" >"$stage/$name/completions/idx2gcs.$shell"
done
"$own" man >"$stage/$name/man/idx2gcs.1"
if [ -n "$extension" ]; then
    archive=$name.zip
    (cd "$stage" && python3 -m zipfile -c "$dist/$archive" "$name")
else
    archive=$name.tar.gz
    # The same files make the same archive.
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$stage" -c "$name" |
        gzip -n9 >"$dist/$archive"
fi
(cd "$dist" && sha256sum "$archive" >"$archive.sha256")

step "wheel"
"$tools/bin/maturin" build --release --locked --target "$target" --out "$dist" \
    --compatibility "${compatibility[@]}"

if [ "$target" = x86_64-unknown-linux-musl ]; then
    step "container image"
    command -v buildah >/dev/null || apt_install "buildah is missing" buildah
    [ -f /etc/ssl/certs/ca-certificates.crt ] || apt_install "CA roots are missing" ca-certificates
    mkdir -p "$stage/context/work"
    cp "$program" /etc/ssl/certs/ca-certificates.crt Containerfile LICENSE-* "$stage/context/"
    storage=(--root "$stage/storage" --runroot "$stage/run" --storage-driver vfs)
    image=localhost/idx2gcs:$version
    buildah "${storage[@]}" build --quiet --isolation=chroot --build-arg VERSION="$version" \
        --timestamp 0 --tag "$image" --file "$stage/context/Containerfile" "$stage/context" >/dev/null
    rm -f "$dist/idx2gcs-$version-oci.tar"
    buildah "${storage[@]}" push --quiet "$image" "oci-archive:$dist/idx2gcs-$version-oci.tar:$image"
fi

step "checksums"
(cd "$dist" && find . -maxdepth 1 -type f ! -name SHA256SUMS ! -name '*.sha256' -printf '%P\n' |
    sort | xargs sha256sum >SHA256SUMS && cat SHA256SUMS)
ls -l "$dist"

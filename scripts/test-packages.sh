#!/usr/bin/env bash
# Tests what scripts/package.sh has made in dist/ for x86_64 Linux, as its users would: the archive unpacked
# elsewhere, the wheel by pip and by uvx, the image's files as an unprivileged user by chroot.
#
# Needs root for the image; installs uv into the target folder.
#
# Usage: scripts/test-packages.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
target=x86_64-unknown-linux-musl
built=${CARGO_TARGET_DIR:-$PWD/target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
dist=$PWD/dist
tests=$PWD/python/tests
work=$(mktemp -d)
emulator=
storage=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
cleanup() {
    [ -z "$emulator" ] || kill "$emulator" 2>/dev/null || true
    ! command -v buildah >/dev/null || buildah "${storage[@]}" umount --all >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

# expect CODE COMMAND…
expect() {
    local code=0 wanted=$1
    shift
    "$@" >"$work/output" 2>&1 || code=$?
    [ "$code" = "$wanted" ] || { cat "$work/output" >&2; fail "$* ended with $code instead of $wanted"; }
}

step "checksums"
(cd "$dist" && sha256sum --check --quiet SHA256SUMS && sha256sum --check --quiet ./*"$target"*.sha256)

step "archive"
tar -C "$work" -xzf "$dist/idx2gcs-$version-$target.tar.gz"
unpacked=$work/idx2gcs-$version-$target
program=$unpacked/idx2gcs
for file in README.md LICENSE-MIT LICENSE-APACHE CHANGELOG.md man/idx2gcs.1 completions/idx2gcs.{bash,zsh,fish}; do
    [ -s "$unpacked/$file" ] || fail "the archive lacks $file"
done
! ldd "$program" 2>/dev/null | grep -q '=>' || fail "the program is not static"
[ "$("$program" --version)" = "idx2gcs $version" ] || fail "the version is another"
# A small set: 60 pictures of 28 × 28 in three classes.
python3 - "$work/set" <<'PY'
import os, struct, sys
os.mkdir(sys.argv[1])
for part, start, n in (("train", 0, 48), ("t10k", 48, 12)):
    with open(f"{sys.argv[1]}/{part}-images-idx3-ubyte", "wb") as file:
        file.write(struct.pack(">4I", 0x803, n, 28, 28))
        for image in range(start, start + n):
            file.write(bytes((image * 3 + i) % 256 for i in range(784)))
    with open(f"{sys.argv[1]}/{part}-labels-idx1-ubyte", "wb") as file:
        file.write(struct.pack(">2I", 0x801, n) + bytes(i % 3 for i in range(n)))
PY
load=(load --source "$work/set" --to gs://demo/set --endpoint embedded --validation 6 --out "$work/out")
expect 0 "$program" "${load[@]}"
expect 2 "$program" load --no-such-flag
expect 3 "$program" load --source /dev/null --to gs://demo/set --endpoint embedded --out "$work/out"

step "wheel by pip, in an empty environment"
wheel=$(find "$dist" -name "idx2gcs-$version-py3-none-manylinux*x86_64*.whl")
[ -n "$wheel" ] || fail "there is no wheel"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-index "$wheel"
expect 0 "$work/venv/bin/idx2gcs" "${load[@]}"
expect 0 "$work/venv/bin/python" -m idx2gcs --version
"$work/venv/bin/pip" install --quiet numpy pandas pillow pyarrow tqdm
(cd "$work" && PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" -m unittest discover -s "$tests")

step "wheel by uvx"
uv=$built/package-tools/bin/uv
[ -x "$uv" ] || "$built/package-tools/bin/pip" install --quiet uv
uvx=("$uv" tool run --from "$wheel" idx2gcs)
expect 0 "${uvx[@]}" "${load[@]}"
expect 2 "${uvx[@]}" load --no-such-flag
"${uvx[@]}" emulate --port 0 >"$work/uvx.log" &
emulator=$!
wait_for "$emulator" "$work/uvx.log"
kill -TERM "$emulator"
code=0
wait "$emulator" || code=$?
emulator=
[ "$code" = 0 ] || [ "$code" = 143 ] || fail "SIGTERM through uvx ended with $code"

step "container image, as user 65532"
[ "$(id -u)" = 0 ] || fail "the image is tested by chroot, which needs root"
container=$(buildah "${storage[@]}" from "oci-archive:$dist/idx2gcs-$version-oci.tar")
root=$(buildah "${storage[@]}" mount "$container")
config=$(buildah "${storage[@]}" inspect --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.WorkingDir}}' "$container")
[ "$config" = "65532:65532 /work" ] || fail "the image runs as $config"
start_emulator "$program" "$work/emulator.log" --bucket demo
cp -r "$work/set" "$root/work/set"
inside() { chroot --userspec=65532:65532 "$root" /usr/local/bin/idx2gcs "$@"; }
expect 0 inside load --source /work/set --to gs://demo/set --endpoint "$endpoint" --validation 6 --out /work/out
expect 0 inside verify --source /work/set --to gs://demo/set --endpoint "$endpoint" --validation 6 --out /work/out
# With its roots it gets as far as the connection; without them TLS cannot be set up.
tls=(load --source /work/set --to gs://demo/set --endpoint https://127.0.0.1:9 --validation 6 --out /work/out)
expect 4 inside "${tls[@]}"
grep -qi "refused\|reached" "$work/output" || { cat "$work/output" >&2; fail "TLS roots are not found"; }

step "sizes and start-up"
ls -l "$program" "$wheel" "$dist"/*.tar* | awk '{print $5, $9}'
median() {
    local runs=()
    for _ in 1 2 3 4 5; do
        local begin end
        begin=$(date +%s%N)
        "$@" >/dev/null
        end=$(date +%s%N)
        runs+=($(((end - begin) / 100000)))
    done
    printf '%s\n' "${runs[@]}" | sort -n | sed -n 3p | awk '{printf "%.1f ms", $1 / 10}'
}
echo "idx2gcs --version: $(median "$program" --version); by uvx: $(median "${uvx[@]}" --version)"
echo "all packages work"

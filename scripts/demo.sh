#!/usr/bin/env bash
# Loads all 70,000 images of Fashion-MNIST over HTTP into the embedded emulator. No account needed. The
# load takes seconds; the release build before it, some minutes.
#
# Usage: scripts/demo.sh [FOLDER]     (FOLDER holds the four files, if you have them)
set -euo pipefail
given=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")/.."

cargo build --release --locked
target=${CARGO_TARGET_DIR:-$PWD/target}
program=$target/release/idx2gcs
folder=$(scripts/fashion-mnist.sh "$program" "$given")

demo=$target/demo
rm -rf "$demo"
mkdir -p "$demo"

# The settings name the data set, and so its classes; this is where its files lie.
IDX2GCS_SOURCE_PATH=$folder "$program" load \
    --config config/fashion-mnist.toml \
    --to gs://demo/fashion-mnist \
    --endpoint "embedded:$demo/storage" \
    --out "$demo/out"

cat <<END

  pictures   $demo/storage/demo/fashion-mnist/image_0.jpg … image_69999.jpg
  manifests  $demo/out/automl.csv, $demo/out/vertex.csv
  summary    $demo/out/summary.json
  report     $demo/out/report.html, a page to open in a browser

For a real bucket: $program load --config config/fashion-mnist.toml --to gs://my-bucket/fashion-mnist
END

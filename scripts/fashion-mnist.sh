#!/usr/bin/env bash
# Prints a folder that holds the four files of Fashion-MNIST, getting them first if need be:
# the folder given, the system's, the user's cache, a checked download, Debian's package.
#
# Usage: scripts/fashion-mnist.sh PROGRAM [FOLDER]     (PROGRAM is a built idx2gcs)
set -euo pipefail
. "$(dirname "$0")/common.sh"

program=$1
given=${2:-}
system=/usr/share/datasets/fashion-mnist
cache=${XDG_CACHE_HOME:-$HOME/.cache}/idx2gcs/fashion-mnist

complete() { "$program" inspect "$1" >/dev/null 2>&1; }

if [ -n "$given" ]; then
    # Says itself what is missing.
    "$program" inspect "$given" >/dev/null
    echo "$given"
    exit
fi
for folder in "$system" "$cache"; do
    if complete "$folder"; then
        echo "$folder"
        exit
    fi
done
echo "Fashion-MNIST is not on this machine: downloading 30 MB" >&2
if "$program" fetch fashion-mnist >&2; then
    echo "$cache"
    exit
fi
if apt_install "no mirror can be reached" dataset-fashion-mnist && complete "$system"; then
    echo "$system"
    exit
fi
echo "Fashion-MNIST cannot be had here; give a folder with its four files" >&2
exit 1

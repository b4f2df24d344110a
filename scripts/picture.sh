#!/usr/bin/env bash
# Draws docs/load.svg, the README's picture: a real run in a real terminal (tmux), as it ends.
# Needs tmux, the release build, Fashion-MNIST on this machine, and Python's rich (in a venv here).
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
venv=$target/test-tools/picture
[ -d "$venv" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet rich; }

desk=$(mktemp -d)
trap 'tmux -L picture kill-server 2>/dev/null || true; rm -rf "$desk"' EXIT
tmux -L picture -f /dev/null new-session -d -s run -x 104 -y 40 -c "$desk" \
    "env PATH=$target/release:\$PATH PS1='$ ' bash --norc"
tmux -L picture send-keys -t run \
    'clear; idx2gcs load --source fashion-mnist --to gs://demo/fashion-mnist --endpoint embedded; echo $? >code' Enter
until [ -s "$desk/code" ]; do sleep 0.2; done
[ "$(cat "$desk/code")" = 0 ] || { tmux -L picture capture-pane -p -t run >&2; exit 1; }
tmux -L picture capture-pane -p -e -t run >"$desk/screen.txt"

"$venv/bin/python" - "$desk/screen.txt" docs/load.svg <<'PYTHON'
import re, sys
from rich.console import Console
from rich.text import Text

lines = open(sys.argv[1]).read().rstrip().splitlines()
while lines and lines[-1].strip() in ("", "$"):
    lines.pop()
console = Console(record=True, width=104, file=open("/dev/null", "w"))
command = "$ idx2gcs load --source fashion-mnist --to gs://demo/fashion-mnist --endpoint embedded"
console.print(Text(command, style="bold"))
for line in lines:
    if not line.startswith("$ "):
        console.print(Text.from_ansi(line))
svg = console.export_svg(title="idx2gcs")
# No font from the network: the reader's own will do.
svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")
open(sys.argv[2], "w").write(svg)
PYTHON

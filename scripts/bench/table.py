"""Figures as Markdown, and their place in docs/benchmarks.md."""

import os
import platform
import re
import statistics
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path

HEAD = """\
| {title} | in flight | images/s | to idx2gcs | CPU µs an image | peak memory | images |
|---|---|--:|--:|--:|--:|--:|"""
TITLES = {0: "storage that answers at once", 50: "storage that takes 50 ms a write"}


@dataclass(frozen=True)
class Figures:
    rate: float  # images a second
    cpu: float  # µs an image
    memory: int  # bytes


def median(runs):
    return Figures(*(statistics.median(getattr(r, f) for r in runs) for f in ("rate", "cpu", "memory")))


def short(value):
    """Three digits tell all that such a run can."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine():
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() or "unknown commit"
    kernel = platform.release().split("-")[0]
    return f"{model}, {os.cpu_count()} cores, Linux {kernel}, {date.today()}, commit {commit}"


def markdown(rows, figures, failures, absent, written, options):
    lines, footnotes = [], []
    for latency in dict.fromkeys(row.latency_ms for row in rows):
        lines += [HEAD.format(title=TITLES[latency])]
        ours = None
        for row in (row for row in rows if row.latency_ms == latency):
            start = f"| {row.label} | {row.in_flight} |"
            if row in absent:
                lines.append(f"{start} not available here: {absent[row]} | | | | |")
                continue
            if not figures[row]:
                lines.append(f"{start} failed: {failures[row][0]} | | | | |")
                continue
            for failure in failures[row]:
                footnotes.append(f" Left out: a run of {row}, which failed ({failure}).")
            result = median(figures[row])
            ours = ours or result.rate
            images = row.images(options.images)
            if images is None:
                cells = ["", "", "–"]
            else:
                cells = [short(result.cpu), f"{result.memory / 1e6:,.0f} MB", f"{images:,}"]
            ratio = result.rate / ours
            ratio = f"{ratio:.2f}" if ratio > 0.01 else f"{ratio:.3f}"
            lines.append(f"{start} {short(result.rate)} | {ratio} | " + " | ".join(cells) + " |")
        lines.append("")
    runs = "one run" if options.rounds == 1 else f"medians of {options.rounds} runs"
    text = f"{machine()}; {runs}, in turn. Client and storage, which is `idx2gcs emulate`, share the machine. "
    text += "Memory is that of the largest process."
    if written:
        text += (
            f" Writing the files that some need first ({written:,.0f} images/s with Pillow) is not"
            " counted."
        )
    return "\n".join(lines + [text + "".join(footnotes)])


def write(readme, text):
    """Replaces what stands between the two markers."""
    old = readme.read_text()
    new, count = re.subn(
        r"(<!-- bench -->\n).*?(<!-- /bench -->)", lambda m: m[1] + text + "\n" + m[2], old, flags=re.S
    )
    if count != 1:
        raise SystemExit("docs/benchmarks.md has no place for the table: <!-- bench --> and <!-- /bench -->")
    readme.write_text(new)

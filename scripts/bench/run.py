"""Runs the contenders in turn against a fresh storage each, and tabulates. Called by ../bench.sh."""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import contenders
import measure
import table

HERE = Path(__file__).parent


class Storage:
    """A process that uploads go to; a new one for each run."""

    def __init__(self, options, latency_ms):
        command = [options.program, "emulate", "--port", "0", "--bucket", "bench"]
        command += ["--latency", f"{latency_ms}ms"] if latency_ms else []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        # "serving URL; …"
        self.url = self.process.stdout.readline().split(";")[0].removeprefix("serving ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stored(self):
        """Distinct objects stored so far."""
        with urllib.request.urlopen(f"{self.url}/_emulator/counters") as answer:
            counters = json.load(answer)
        return counters["inserts"] - counters["overwrites"]


def run(row, options, files, desk):
    """One run of one contender: images a second, µs of CPU an image, bytes of memory."""
    count = row.images(options.images)
    with Storage(options, row.latency_ms) as storage:
        context = contenders.Context(
            program=options.program,
            tools=options.tools,
            folder=options.folder,
            files=files.get(count),
            desk=desk,
            url=storage.url,
        )
        used = measure.run(row.command(context, count), row.environment(context), desk / "log")
        stored = storage.stored() - row.extra
    if count is None:
        count = stored
    if used.code != 0 or stored != count:
        tail = "\n".join((desk / "log").read_text(errors="replace").splitlines()[-8:])
        raise RuntimeError(f"exit code {used.code}, {stored:,} of {count:,} stored\n{tail}")
    return table.Figures(count / used.seconds, used.cpu_seconds / count * 1e6, used.peak_bytes)


def write_files(options, rows, desk):
    """Images as files for contenders that upload nothing else: a folder for each number of images.
    Also images written a second."""
    folders, written, seconds = {}, 0, 0.0
    for count in sorted({row.images(options.images) for row in rows if row.from_files}):
        folders[count] = desk / f"files-{count}"
        start = time.monotonic()
        peers = [options.tools / "venv/bin/python", HERE / "peers.py", "files"]
        subprocess.run([*peers, options.folder, folders[count], str(count)], check=True)
        written, seconds = written + count, seconds + time.monotonic() - start
    return folders, written / seconds if seconds else None


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh")
    parser.add_argument("--program", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--tools", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--missing", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, default=70_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--at-least", type=float)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.quick and options.at_least is None:
        options.at_least = 1.0
    return options


def main():
    options = arguments()
    missing = dict(item.split("=", 1) for item in options.missing)
    rows = [row for row in contenders.ROWS if row.quick or not options.quick]
    absent = {row: reason for row in rows for need in row.needs if (reason := missing.get(need))}
    rows_here = [row for row in rows if row not in absent]

    figures = {row: [] for row in rows}
    # What was wrong with the runs that failed; their figures count for nothing.
    failures = {row: [] for row in rows}
    desk = Path(tempfile.mkdtemp(dir=options.tools))
    try:
        files, written = write_files(options, rows_here, desk)
        for number in range(options.rounds):
            for row in rows_here:
                try:
                    result = run(row, options, files, desk)
                    figures[row].append(result)
                    note = f"{result.rate:,.0f} images/s"
                except RuntimeError as e:
                    failures[row].append(str(e).splitlines()[0])
                    note = f"FAILED: {e}"
                print(f"round {number + 1}: {row}: {note}", file=sys.stderr)
    finally:
        shutil.rmtree(desk)

    text = table.markdown(rows, figures, failures, absent, written, options)
    print(text)
    if options.write:
        table.write(HERE.parent.parent / "docs/benchmarks.md", text)

    broken = any(failures.values())
    if options.at_least is not None:
        compared = [contenders.OURS, contenders.REFERENCE]
        if not all(figures[row] and not failures[row] for row in compared):
            sys.exit("nothing to compare: idx2gcs or object_store failed or is not here")
        # Each round's two runs follow each other, so what else the machine does meets both.
        pairs = zip(*(figures[row] for row in compared))
        ratio = statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)
        print(f"idx2gcs is {ratio:.2f} times as fast as object_store", file=sys.stderr)
        if ratio < options.at_least:
            sys.exit(f"that is less than {options.at_least}")
    if broken:
        sys.exit("some runs failed")


main()

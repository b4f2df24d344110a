"""What a process used: time, CPU time and memory, its children included."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

# No contender should need longer, whatever the machine.
LIMIT_SECONDS = 600


@dataclass
class Used:
    code: int
    seconds: float
    cpu_seconds: float  # user and system
    peak_bytes: int  # of the largest process


def family(pid):
    """A process and its descendants."""
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            pass
    return found


def peak(pid):
    """The most memory that a process has held so far, by the kernel's book. The maximum that `wait4`
    tells would include this Python, from which the process was forked."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def run(command, environment, log):
    """Runs a command to its end, its output into the file `log`."""
    command = [str(part) for part in command]
    with open(log, "wb") as out:
        start = time.monotonic()
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
        ended = threading.Event()
        highest = 0

        def watch():
            nonlocal highest
            while not ended.wait(0.02):
                highest = max(highest, *map(peak, family(process.pid)))
                if time.monotonic() - start > LIMIT_SECONDS:
                    process.kill()

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        ended.set()
        watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Used(process.returncode, seconds, usage.ru_utime + usage.ru_stime, highest)

"""One run of the program: settings in, progress on the way, an error or a summary out."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Callable, Union

from . import _errors
from ._program import find

Progress = Union[bool, Callable[[Mapping[str, Any]], object]]

log = logging.getLogger("idx2gcs")


def flags(settings: Mapping[str, Any]) -> list[str]:
    """``if_exists="skip"`` as ``--if-exists=skip``; ``None`` is left out."""
    given = ((name, value) for name, value in settings.items() if value is not None)
    return [f"--{name.replace('_', '-')}={text(value)}" for name, value in given]


def text(value: Any) -> str:
    """A value as flags and variables have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return json.dumps(list(value), ensure_ascii=False)
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def variables(config: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """``{"split": {"method": "hash"}}`` as ``IDX2GCS_SPLIT_METHOD=hash``."""
    return {
        f"IDX2GCS_{section}_{key}".upper(): text(value)
        for section, keys in config.items()
        for key, value in keys.items()
        if value is not None
    }


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    descriptors: tuple[int, ...],
    progress: Progress,
) -> str:
    """Runs the program to its end and returns what it printed.

    An interrupt is handed on once, so that uploads in flight are finished; a second one ends the program
    at once. An exception of the callback stops it in the same way.
    """
    errors: list[Mapping[str, Any]] = []
    process = subprocess.Popen(
        [find(), *arguments, "--progress=json"],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        pass_fds=descriptors,
        # A terminal's Ctrl-C reaches Python alone, which hands it on: the program would take two for
        # "quit now".
        start_new_session=os.name == "posix",
    )
    with process, _shown(progress) as show:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                _event(line, show, errors)
        except BaseException:
            _stop(process)
            raise
        assert process.stdout is not None
        printed = process.stdout.read()
    if process.returncode == 0:
        return printed
    if process.returncode in (130, -signal.SIGINT):
        raise KeyboardInterrupt
    last = errors[-1] if errors else {}
    message = str(last.get("error", f"idx2gcs ended with {process.returncode}"))
    raise _errors.of_code(process.returncode, message, last.get("causes", ()))


def _event(line: str, show: Callable[[Mapping[str, Any]], object], errors: list[Any]) -> None:
    try:
        event = json.loads(line)
    except ValueError:
        # What the command line is refused with is text.
        if line.startswith("error: "):
            errors.append({"error": line[len("error: ") :].strip()})
        return
    if "error" in event:
        errors.append(event)
    elif "images" in event:
        show(event)
    elif str(event.get("note", "")).startswith("warning: "):
        warnings.warn(event["note"][len("warning: ") :], _errors.Idx2gcsWarning, stacklevel=6)
    else:
        log.info("%s", event.get("note", line.strip()))


def _stop(process: subprocess.Popen[str]) -> None:
    """Lets it finish what is in flight; a second interrupt meanwhile is handed on as well."""
    if os.name != "posix":
        process.terminate()
        process.communicate()
        return
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate()
        except KeyboardInterrupt:
            continue


@contextmanager
def _shown(progress: Progress) -> Iterator[Callable[[Mapping[str, Any]], object]]:
    """A function that shows an event: the caller's own, or a bar where tqdm is installed."""
    if callable(progress):
        yield progress
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        progress = False
    if not progress:
        yield lambda event: None
        return
    with tqdm(unit=" images", unit_scale=False) as bar:

        def show(event: Mapping[str, Any]) -> None:
            bar.total = event["images"]
            ended = event["uploaded"] + event["already_present"] + event["failed"]
            bar.update(ended - bar.n)
            if event["failed"]:
                bar.set_postfix(failed=event["failed"])

        yield show

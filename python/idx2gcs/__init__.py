"""Loads packed image data sets, or arrays in memory, into Google Cloud Storage.

    import idx2gcs

    result = idx2gcs.load(images=images, labels=labels, to="gs://bucket/set")
    result.manifest("vertex")

Each keyword is a flag of ``idx2gcs load`` with underscores (``if_exists="overwrite"``); settings without
a flag are given by section: ``config={"split": {"method": "stratified"}}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._arrays import handed
from ._errors import (
    DestinationError,
    Idx2gcsError,
    Idx2gcsWarning,
    IncompleteError,
    InternalError,
    SourceError,
    StoppedError,
    UsageError,
)
from ._program import find
from ._run import Progress, flags, run, variables

if TYPE_CHECKING:
    import pandas
    from numpy.typing import ArrayLike

__all__ = [
    "DestinationError",
    "Emulator",
    "Idx2gcsError",
    "Idx2gcsWarning",
    "IncompleteError",
    "InternalError",
    "Result",
    "SourceError",
    "StoppedError",
    "UsageError",
    "emulator",
    "load",
    "verify",
]

# The columns of the manifests that have no header.
_COLUMNS = ["partition", "image", "label"]


class Result:
    """What a load did: the fields of ``summary.json`` as attributes.

    ``images``, ``uploaded``, ``already_present``, ``failed`` and ``not_attempted`` are numbers of images;
    ``manifests`` lists each import file with its ``path``, ``url``, ``rows`` and ``sha256``.
    """

    def __init__(self, summary: Mapping[str, Any], out: str, printed: str) -> None:
        self.summary = dict(summary)
        self.out = out
        self._printed = printed.strip()

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["summary"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return self._printed

    def manifest(self, format: str | None = None) -> pandas.DataFrame:
        """The published manifest of this format, or the first, as a data frame."""
        import pandas

        for entry in self.summary["manifests"]:
            if format in (None, entry["format"]):
                path = entry["path"]
                if path.endswith(".parquet"):
                    return pandas.read_parquet(path)
                if path.endswith(".jsonl"):
                    return pandas.read_json(path, lines=True)
                named = entry["format"] in ("automl", "vertex")
                return pandas.read_csv(path, names=_COLUMNS) if named else pandas.read_csv(path)
        published = ", ".join(entry["format"] for entry in self.summary["manifests"])
        raise KeyError(f"no manifest {format}; published are {published}")


def load(
    source: str | os.PathLike[str] | None = None,
    *,
    images: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    test_images: ArrayLike | None = None,
    test_labels: ArrayLike | None = None,
    to: str | os.PathLike[str],
    progress: Progress = True,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Result:
    """Loads a data set: a named one, a folder or a file (``source``), or arrays in memory.

    ``images`` are ``n × rows × cols`` or ``n × rows × cols × 3``, ``labels`` numbers or texts;
    ``test_images`` and ``test_labels`` are the test part. ``progress`` is a bar (with tqdm), ``False``, or
    a function that receives each event as a dictionary.

    Raises an :class:`Idx2gcsError` by the program's exit code; :class:`KeyboardInterrupt` stops the load
    in order, and the same call finishes it.
    """
    arrays = (images, labels, test_images, test_labels)
    printed = _run_with("load", source, arrays, to, progress, config, settings)
    out = os.fspath(settings.get("out", "out"))
    with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
        return Result(json.load(file), out, printed)


def verify(
    source: str | os.PathLike[str] | None = None,
    *,
    images: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    test_images: ArrayLike | None = None,
    test_labels: ArrayLike | None = None,
    to: str | os.PathLike[str],
    progress: Progress = True,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> str:
    """Proves that the destination holds exactly what :func:`load` with the same arguments stores, and
    returns the sentence that says so.

    Raises :class:`IncompleteError` if an object is missing, different or unexpected.
    """
    arrays = (images, labels, test_images, test_labels)
    return _run_with("verify", source, arrays, to, progress, config, settings).strip()


def _run_with(
    command: str,
    source: str | os.PathLike[str] | None,
    arrays: tuple[ArrayLike | None, ...],
    to: str | os.PathLike[str],
    progress: Progress,
    config: Mapping[str, Mapping[str, Any]] | None,
    settings: Mapping[str, Any],
) -> str:
    images, labels, test_images, test_labels = arrays
    if images is None and any(array is not None for array in arrays):
        raise TypeError("labels and test parts need images")
    if source is not None and images is not None:
        raise TypeError("give source or images, not both")
    environment = variables(config or {})
    with contextlib.ExitStack() as stack:
        descriptors: tuple[int, ...] = ()
        if images is not None:
            given = stack.enter_context(handed(images, labels, test_images, test_labels))
            source, descriptors = given.path, given.descriptors
            environment = {**given.settings, **environment}
        arguments = [command, *flags({"source": source, "to": to, **settings})]
        return run(arguments, environment, descriptors, progress)


class Emulator:
    """A Google Cloud Storage on this machine, for tests."""

    def __init__(self, url: str) -> None:
        self.url = url
        """Its address: the ``endpoint`` of :func:`load`, and other clients' ``STORAGE_EMULATOR_HOST``."""


@contextlib.contextmanager
def emulator(buckets: Sequence[str] = ("demo",), **settings: Any) -> Iterator[Emulator]:
    """Serves buckets in memory until the block ends. Keywords are flags of ``idx2gcs emulate``, such as
    ``latency="50ms"`` or ``error_rate=0.1``."""
    arguments = ["emulate", *flags({"port": 0, **settings})]
    arguments += [f"--bucket={bucket}" for bucket in buckets]
    process = subprocess.Popen([find(), *arguments], stdout=subprocess.PIPE, encoding="utf-8")
    with process:
        try:
            assert process.stdout is not None
            # serving http://127.0.0.1:4443; use it with …
            first = process.stdout.readline().split()
            if len(first) < 2:
                raise Idx2gcsError("the emulator did not start")
            yield Emulator(first[1].rstrip(";"))
        finally:
            process.terminate()

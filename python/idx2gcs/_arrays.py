"""Arrays in memory, handed to the program without a file on disk where the system permits it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Handed:
    """Where the program finds the arrays: a path, a descriptor that it must inherit, and settings."""

    def __init__(self, path: str, descriptors: tuple[int, ...], settings: dict[str, str]) -> None:
        self.path = path
        self.descriptors = descriptors
        self.settings = settings


@contextlib.contextmanager
def handed(
    images: ArrayLike,
    labels: ArrayLike | None,
    test_images: ArrayLike | None,
    test_labels: ArrayLike | None,
) -> Iterator[Handed]:
    """Writes the arrays as one .npz, into memory on Linux, else into a temporary file that is removed.

    Labels that are texts become numbers, and the texts the names of the classes.
    """
    import numpy as np

    if (labels is None) != (test_labels is None) and test_images is not None:
        raise ValueError("labels and test_labels: give both or none")
    arrays: dict[str, Any] = {"x_train": np.asarray(images)}
    settings: dict[str, str] = {}
    parts = {"y_train": labels, "y_test": test_labels}
    given = {name: np.asarray(part) for name, part in parts.items() if part is not None}
    if test_images is not None:
        arrays["x_test"] = np.asarray(test_images)
    elif test_labels is not None:
        raise ValueError("test_labels without test_images")
    if given and any(part.dtype.kind in "USO" for part in given.values()):
        texts = np.unique(np.concatenate([part.astype(str) for part in given.values()]))
        given = {name: np.searchsorted(texts, part.astype(str)) for name, part in given.items()}
        settings["IDX2GCS_SOURCE_CLASSES"] = json.dumps(texts.tolist(), ensure_ascii=False)
    arrays.update(given)

    if sys.platform == "linux":
        descriptor = os.memfd_create("arrays.npz")
        try:
            with open(descriptor, "wb", closefd=False) as file:
                np.savez(file, **arrays)
            # The program opens it anew each time, and so reads it from its start.
            yield Handed(f"/proc/self/fd/{descriptor}", (descriptor,), settings)
        finally:
            os.close(descriptor)
        return
    file = tempfile.NamedTemporaryFile(prefix="idx2gcs-", suffix=".npz", delete=False)
    try:
        with file:
            np.savez(file, **arrays)
        yield Handed(file.name, (), settings)
    finally:
        os.unlink(file.name)

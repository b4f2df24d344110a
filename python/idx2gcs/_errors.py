"""Why a load did not end well: a class for each exit code."""

from __future__ import annotations

from collections.abc import Sequence


class Idx2gcsError(Exception):
    """A load or a verification that did not end well. ``code`` is the program's exit code,
    ``causes`` the lines below its error."""

    code = 1

    def __init__(self, message: str, causes: Sequence[str] = (), code: int | None = None) -> None:
        super().__init__(message)
        self.causes = list(causes)
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return "\n  caused by: ".join([super().__str__(), *self.causes])


class IncompleteError(Idx2gcsError):
    """Some images are not stored, or a verification found a difference; the same call finishes a load."""

    code = 1


class UsageError(Idx2gcsError):
    """Settings that cannot work."""

    code = 2


class SourceError(Idx2gcsError):
    """The images or their labels are bad."""

    code = 3


class DestinationError(Idx2gcsError):
    """The destination refused: credentials, permission, no such bucket, a conflict."""

    code = 4


class InternalError(Idx2gcsError):
    """A defect of the program."""

    code = 70


class StoppedError(Idx2gcsError):
    """The program was stopped by a signal from outside."""

    code = 143


class Idx2gcsWarning(UserWarning):
    """Something about the data set that an import or a training may not like."""


_KINDS = (IncompleteError, UsageError, SourceError, DestinationError, InternalError, StoppedError)


def of_code(code: int, message: str, causes: Sequence[str]) -> Idx2gcsError:
    """The error of a process that ended with this code."""
    for kind in _KINDS:
        if kind.code == code:
            return kind(message, causes)
    return Idx2gcsError(message, causes, code)

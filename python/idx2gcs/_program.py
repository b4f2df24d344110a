"""Where the program of this package is."""

from __future__ import annotations

import os
import shutil
import sysconfig


def find() -> str:
    """The path of the program: beside the interpreter's scripts, in the user's, beside the package
    (``pip install --target``), else on the search path."""
    name = "idx2gcs" + (sysconfig.get_config_var("EXE") or "")
    user = "nt_user" if os.name == "nt" else "posix_user"
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", user),
        os.path.join(package, "bin"),
    ]
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is neither in {' nor '.join(folders)} nor on PATH")
    return found

"""``python -m idx2gcs`` is the program itself."""

import os
import subprocess
import sys

from ._program import find

if os.name == "posix":
    os.execv(find(), [find(), *sys.argv[1:]])
sys.exit(subprocess.call([find(), *sys.argv[1:]]))

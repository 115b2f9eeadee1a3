"""The page's own files: a path that a request names is used only where it leads to what was uploaded.

Decisions:
- A request is text, and its paths can name any file of the user. What is uploaded lies in one private folder; all else is neither opened,
  copied nor removed.
- Nothing is opened to find out: a pipe or a device would not come to an end.
"""

import os
import stat
from pathlib import Path


def own_file(path: str, folder: Path) -> Path | None:
    """The regular file inside ``folder`` that a path leads to; None where it leads to anything else, or is a link."""
    try:
        regular = stat.S_ISREG(os.lstat(path).st_mode)
        file = Path(path).resolve(strict=True)
    except (OSError, ValueError):  # no such file, or no path at all: too long, a NUL in it
        return None
    return file if regular and file.is_relative_to(folder.resolve()) else None

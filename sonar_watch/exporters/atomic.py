"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from sonar_watch.atomic import whole_file


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to a file beside `path`, bring it to disk and rename it over `path`.

    Folders that are missing are made.

    Raises
    ------
    OSError
        The folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, durable=True) as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o644)

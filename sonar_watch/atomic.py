"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Give a file to write, beside `path`; it takes its place when the block ends well.

    Parameters
    ----------
    path : Path
        Its folder must be there.
    durable : bool
        Bring the content to disk before the name: a power cut leaves the old file or the new.

    Raises
    ------
    OSError
        The folder is missing, full or not writable; nothing is left behind then.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with part.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

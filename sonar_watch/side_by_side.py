"""Work spread over processes, which end with the one that asked for it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def done_side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Yield what `work` returns for each item, as they are done.

    Parameters
    ----------
    work : callable
        Pickled, with the items, into fresh processes: runtimes and their threads do not survive
        a fork.
    items : iterable
    workers : int
        Processes. One that dies takes the others with it, and none goes on when this process is
        killed. With one worker, or one item, the work is done here and in order.
    """
    items = list(items)
    if min(workers, len(items)) <= 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as pool:
        waiting = [pool.submit(work, item) for item in items]
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin() -> None:
    """One process a core: OpenCV's own threads would only get in the way."""
    import cv2

    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End, in the middle of work, when nobody is left to take its result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

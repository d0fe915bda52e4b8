"""Reading ahead: while the network looks at one picture, threads decode the next ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


def read_ahead(
    items: Iterable[Item],
    read: Callable[[Item], Value],
    workers: int,
    expected: tuple[type[Exception], ...] = (),
) -> Iterator[tuple[Item, Value | Exception]]:
    """Yield each item with what was read for it, in order.

    At most twice as many as there are threads are held, whatever the number of items.

    Parameters
    ----------
    items : iterable
    read : callable
        Called in the threads.
    workers : int
        Threads.
    expected : tuple of exception types
        Given instead of the value; others are raised when their item's turn comes.
    """
    source = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="read ahead") as pool:
        waiting: deque[tuple[Item, Future[Value]]] = deque()
        try:
            while True:
                for item in islice(source, 2 * workers - len(waiting)):
                    waiting.append((item, pool.submit(read, item)))
                if not waiting:
                    return
                item, future = waiting.popleft()
                try:
                    value: Value | Exception = future.result()
                except expected as error:
                    value = error
                yield item, value
                del value, future  # a picture is let go of before the next is waited for
        finally:
            for _, future in waiting:
                future.cancel()

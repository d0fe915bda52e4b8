"""What the tests of the alerts share: no thread is left behind, journals and watches close."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.subscriber import Subscriber
from sonar_watch.alerts.testing import PretendWatch


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert not left, left


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as opened:
        yield opened


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[PretendWatch]:
    with PretendWatch(tmp_path) as started:
        yield started


@pytest.fixture
def subscribe() -> Iterator[Callable[..., Subscriber]]:
    """Opens subscribers that are closed at the end."""
    with ExitStack() as stack:
        yield lambda *endpoints, **how: stack.enter_context(Subscriber(*endpoints, **how))

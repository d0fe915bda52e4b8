"""What tests of the sources share; none leaves a thread behind."""

import threading
from collections.abc import Iterator

import pytest
from sources_builders import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wake() -> threading.Event:
    return threading.Event()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert not left, left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonar_watch.alerts.wire import Message, pack, require_secure, unpack, unpack_many
from sonar_watch.errors import ConfigurationError, WireError


@given(
    st.lists(
        st.builds(
            Message,
            st.text(st.characters(exclude_categories=["Cs"])),
            st.integers(0, 2**64 - 1),
            st.binary(),
        )
    )
)
def test_messages_survive_packing(messages: list[Message]) -> None:
    frames = [frame for message in messages for frame in pack(message)]
    assert unpack_many(frames) == messages


def test_the_sequence_is_big_endian() -> None:
    assert pack(Message("live.alert.new.", 258, b"{}"))[1] == bytes([0, 0, 0, 0, 0, 0, 1, 2])


@given(st.lists(st.binary(max_size=9), max_size=5))
def test_other_frames_are_refused(frames: list[bytes]) -> None:
    try:
        unpack(frames)
    except WireError:
        return
    assert len(frames) == 3
    assert len(frames[1]) == 8


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://127.0.0.1:6790",
        "tcp://127.8.9.1:1",
        "tcp://localhost:6790",
        "tcp://[::1]:6790",
        "ipc:///run/sonar_watch/alerts",
        "inproc://test",
    ],
)
def test_this_host_may_go_plain(endpoint: str) -> None:
    require_secure(endpoint, encrypted=False)


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://*:6790",
        "tcp://0.0.0.0:6790",
        "tcp://192.168.1.4:6790",
        "tcp://watch.ship:6790",
        "tcp://127.0.0.1.evil.example:6790",
        "tcp://[::]:6790",
        "tcp://127.0.0.1;10.0.0.1:6790",
    ],
)
def test_anything_else_needs_curve(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="CURVE"):
        require_secure(endpoint, encrypted=False)
    require_secure(endpoint, encrypted=True)


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:6790", "http://127.0.0.1:1", "tcp://", "pgm://a;b:1"])
def test_other_transports_are_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="expected tcp://"):
        require_secure(endpoint, encrypted=True)

import logging
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sonar_watch.alerts.curve import ClientKeys, allow_key, client_keys, load_pair, make_keys
from sonar_watch.alerts.publisher import Publisher, PublisherOptions
from sonar_watch.alerts.subscriber import read_status
from sonar_watch.alerts.testing import PretendWatch, sample_alert
from sonar_watch.errors import ConfigurationError, WireError

FREE = "tcp://127.0.0.1:0"


@pytest.fixture
def options(tmp_path: Path) -> PublisherOptions:
    """A publisher with keys and one guest on its list."""
    _, secret = make_keys(tmp_path, "watch")
    make_keys(tmp_path / "allowed", "guest")
    return PublisherOptions(
        publish=FREE,
        request=FREE,
        status_interval_s=0.1,
        curve_secret=secret,
        curve_allowed=tmp_path / "allowed",
    )


def keys(folder: Path, name: str, server: str = "watch") -> ClientKeys:
    return client_keys(folder / f"{name}.key_secret", folder.parent / f"{server}.key")


def test_guests_on_the_list_get_everything(
    tmp_path: Path, options: PublisherOptions, subscribe: Callable
) -> None:
    with PretendWatch(tmp_path, options) as watch:
        guest = keys(tmp_path / "allowed", "guest")
        watch.say(sample_alert(1))
        subscriber = subscribe(*watch.endpoints, after=0, curve=guest)
        assert subscriber.receive(20).sequence == 1
        watch.say(sample_alert(2))
        assert subscriber.receive(20).sequence == 2
        assert read_status(watch.endpoints[1], 20, guest)["head_sequence"] == 2


def test_strangers_hear_nothing_and_are_told_why(
    tmp_path: Path,
    options: PublisherOptions,
    subscribe: Callable,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_keys(tmp_path / "strangers", "stranger")
    with PretendWatch(tmp_path, options) as watch, caplog.at_level(logging.WARNING):
        watch.say(sample_alert(1))
        stranger = keys(tmp_path / "strangers", "stranger")
        subscriber = subscribe(*watch.endpoints, after=0, curve=stranger)
        assert subscriber.receive(0.5) is None
        assert "turned away a client at 127.0.0.1: the key" in caplog.text
        assert "refuses us" in caplog.text
        make_it_a_guest = tmp_path / "allowed" / "stranger.key"
        make_it_a_guest.write_bytes((tmp_path / "strangers" / "stranger.key").read_bytes())
        later = subscribe(*watch.endpoints, after=0, curve=stranger)
        assert later.receive(20).sequence == 1


def test_plain_text_is_refused_where_keys_are_wanted(
    tmp_path: Path, options: PublisherOptions, subscribe: Callable
) -> None:
    with PretendWatch(tmp_path, options) as watch:
        watch.say(sample_alert(1))
        assert subscribe(*watch.endpoints, after=0).receive(0.3) is None
        with pytest.raises(WireError, match="no answer"):
            read_status(watch.endpoints[1], 0.2)


def test_a_wrong_server_key_is_said(
    tmp_path: Path,
    options: PublisherOptions,
    subscribe: Callable,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_keys(tmp_path, "impostor")
    with PretendWatch(tmp_path, options) as watch, caplog.at_level(logging.WARNING):
        wrong = keys(tmp_path / "allowed", "guest", server="impostor")
        assert subscribe(*watch.endpoints, after=0, curve=wrong).receive(0.5) is None
        assert "refuses us" in caplog.text


def test_secrets_are_for_their_owner(tmp_path: Path) -> None:
    public, secret = make_keys(tmp_path / "keys", "watch")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert b"secret-key" not in public.read_bytes()
    assert len(load_pair(secret)[1]) == 40


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    public, _ = make_keys(tmp_path, "watch")
    before = public.read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        make_keys(tmp_path, "watch")
    assert public.read_bytes() == before


def test_unusable_keys_are_named(tmp_path: Path, options: PublisherOptions) -> None:
    public, _ = make_keys(tmp_path, "a")
    junk = tmp_path / "junk.key"
    junk.write_text("hello")
    with pytest.raises(ConfigurationError, match=r"a.key: expected a NAME.key_secret"):
        load_pair(public)
    for path in (junk, tmp_path / "none.key_secret"):
        with pytest.raises(ConfigurationError, match=path.name):
            load_pair(path)


def test_a_publisher_without_its_keys_does_not_start(tmp_path: Path) -> None:
    with PretendWatch(tmp_path) as watch:
        options = PublisherOptions(
            publish=FREE,
            request=FREE,
            curve_secret=tmp_path / "none.key_secret",
            curve_allowed=tmp_path,
        )
        publisher = Publisher(options, watch.journal.path)
        with pytest.raises(ConfigurationError, match=r"none.key_secret"):
            publisher.start()
        publisher.close()


@pytest.mark.parametrize("name", ["", ".", "../watch", "a/b", ".hidden", "a b"])
def test_names_of_keys_are_names_of_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a name"):
        make_keys(tmp_path, name)


def test_an_allowed_key_is_copied_once_and_never_overwritten(tmp_path: Path) -> None:
    server, theirs = tmp_path / "server", tmp_path / "theirs"
    make_keys(server, "watch")
    public, secret = make_keys(theirs, "bridge")
    copy = allow_key(server, public)
    assert copy == server / "allowed" / "bridge.key"
    assert copy.read_bytes() == public.read_bytes()
    assert stat.S_IMODE(server.stat().st_mode) == 0o700
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert allow_key(server, public) == copy
    impostor, _ = make_keys(tmp_path / "others", "bridge")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        allow_key(server, impostor)
    with pytest.raises(ConfigurationError, match="secret key"):
        allow_key(server, secret)
    with pytest.raises(ConfigurationError, match="folder of the watch"):
        allow_key(tmp_path / "none", public)
    assert [path.name for path in copy.parent.iterdir()] == ["bridge.key"]
    assert copy.read_bytes() == public.read_bytes()

"""Who may come in: the allow list at each handshake, and who was turned away from where."""

from __future__ import annotations

import contextlib
import logging
import socket
import stat
import threading
from pathlib import Path

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import parse_monitor_message

from sonar_watch.alerts.asking import open_monitor
from sonar_watch.alerts.curve import REVIEWERS_FOLDER, load_pair
from sonar_watch.alerts.limits import TokenBucket
from sonar_watch.errors import ConfigurationError, WireError

log = logging.getLogger(__name__)

_DOMAIN = "*"
_LINES_PER_S, _LINES_AT_ONCE = 0.1, 5.0
_NO_ADDRESS = "an address that is gone"
_FAILURES = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
_EVENTS = (
    zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED | _FAILURES
)


class Rejections:
    """Counts who was turned away and says so, not more often than a log can bear."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bucket = TokenBucket(_LINES_PER_S, _LINES_AT_ONCE)
        self._unsaid = 0
        self.count = 0

    def add(self, address: str, why: str) -> None:
        """Count one; any thread may."""
        with self._lock:
            self.count += 1
            if self._bucket.level < 1:
                self._unsaid += 1
                return
            self._bucket.spend(1)
            unsaid, self._unsaid = self._unsaid, 0
        more = f" ({unsaid} more since the last such line)" if unsaid else ""
        log.warning("turned away a client at %s: %s%s", address, why, more)


class Gate:
    """Lets in the clients whose public key lies in a folder; read again at each handshake.

    Parameters
    ----------
    context : zmq.Context
    secret : Path
        Secret certificate of the publisher.
    allowed : Path
        Folder of the public certificates of those who may connect.
    rejections : Rejections
        Told of who may not.

    Raises
    ------
    ConfigurationError
        The key or the folder cannot be read, or others may write the folder.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        secret: Path,
        allowed: Path,
        rejections: Rejections,
    ) -> None:
        self._public, self._secret = load_pair(secret)
        reviewers = allowed.parent / REVIEWERS_FOLDER
        expect_private(allowed)
        if reviewers.is_dir():
            expect_private(reviewers)
        self._allowed, self._reviewers = KeyList(allowed), KeyList(reviewers)
        self._rejections = rejections
        self._doors: list[tuple[zmq.Socket[bytes], threading.Thread]] = []
        self._authenticator = _Authenticator(context, self._allowed, rejections)
        self._authenticator.start()

    def guard(self, to: zmq.Socket[bytes]) -> None:
        """Encrypt `to` and admit only the listed; before it binds."""
        to.curve_publickey = self._public
        to.curve_secretkey = self._secret
        to.curve_server = True
        to.zap_domain = _DOMAIN.encode()
        events = open_monitor(to, _EVENTS)
        watching = threading.Thread(
            target=_watch_door, args=(events, self._rejections), name="alert-door", daemon=True
        )
        watching.start()
        self._doors.append((to, watching))

    def reviewer(self, key: str | None, address: str) -> str:
        """Return the name of the key that reviews, as its file is called.

        Raises
        ------
        WireError
            It may not: it is not on both lists at this moment. Who was taken off that of those
            who may connect has a connection that stands.
        """
        asking = (key or "").encode()
        name = self._reviewers.names().get(asking)
        if name is None or asking not in self._allowed.names():
            self._rejections.add(address, "a verdict from a key that is not among the reviewers")
            raise WireError(
                "this key may not review; `sonar-watch keys allow --reviewer` on the watch's host "
                "lets it"
            )
        return name

    def close(self) -> None:
        """Stop answering; connections that stand keep standing."""
        for door, watching in self._doors:
            # A socket that is closed has said so to its monitor already.
            with contextlib.suppress(zmq.ZMQError):
                door.disable_monitor()
            watching.join()
        self._doors.clear()
        self._authenticator.stop()


class _Authenticator(ThreadAuthenticator):
    """pyzmq's authenticator, which also tells the allow list who asks from where."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], allowed: KeyList, rejections: Rejections
    ) -> None:
        super().__init__(context, log=log)
        self._allowed_keys, self._rejections = allowed, rejections
        self._address = _NO_ADDRESS
        self.configure_curve_callback(_DOMAIN, self)

    async def handle_zap_message(self, msg: list[bytes]) -> None:
        """Take note of the address; messages are handled one after the other."""
        self._address = msg[3].decode(errors="replace") if len(msg) > 3 else _NO_ADDRESS
        await super().handle_zap_message(msg)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Return whether `key` (Z85) is among the public certificates of the folder."""
        if key in self._allowed_keys.names():
            return True
        self._rejections.add(self._address, f"the key {key.decode()} is not on the list")
        return False


class KeyList:
    """The public keys in a folder, as they are at each look.

    Parameters
    ----------
    folder : Path
        One that is not there holds none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._complaints = TokenBucket(_LINES_PER_S, _LINES_AT_ONCE)

    def names(self) -> dict[bytes, str]:
        """Return the name of each key (Z85), as its file is called; any thread may.

        A file that is broken keeps nobody else out: it is said and passed over.
        """
        keys: dict[bytes, str] = {}
        try:
            paths = sorted(self._folder.glob("*.key"))
        except OSError as error:  # Such as too many open files: then nobody is let in.
            paths = []
            self._complain(self._folder, error)
        for path in paths:
            try:
                keys[zmq.auth.load_certificate(path)[0]] = path.stem
            except (OSError, ValueError) as error:
                self._complain(path, error)
        return keys

    def _complain(self, path: Path, error: Exception) -> None:
        if self._complaints.level >= 1:
            self._complaints.spend(1)
            log.error("%s: no public key, passed over: %s", path, error)


def expect_private(folder: Path) -> None:
    """Refuse a list of keys that is not there, or on which anybody could put his own.

    Raises
    ------
    ConfigurationError
        Says what to do.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"expected a folder of public keys at {folder} (`sonar-watch keys allow` makes it)"
        )
    if folder.stat().st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            f"{folder}: everybody on this host may write it, and so let himself in: "
            f"chmod 700 {folder}"
        )


def _watch_door(events: zmq.Socket[bytes], rejections: Rejections) -> None:
    """Tell of connections that came to no handshake: plain text, or another watch's key.

    Such a client has no key to name it by, and ZeroMQ does not say its address. It is asked of
    the connection as soon as it is accepted, at best before it is closed again.
    """
    peers: dict[int, str] = {}
    failed = False
    with contextlib.closing(events):
        while (event := parse_monitor_message(events.recv_multipart()))["event"] != (
            zmq.EVENT_MONITOR_STOPPED
        ):
            if event["event"] == zmq.EVENT_ACCEPTED:
                peers[event["value"]] = _peer(event["value"])
            elif event["event"] == zmq.EVENT_DISCONNECTED:
                address = peers.pop(event["value"], _NO_ADDRESS)
                if failed:
                    rejections.add(address, "it has no key, or not the one of this watch")
                failed = False
            else:
                failed = True  # Its end follows at once, and says which connection it was.


def _peer(handle: int) -> str:
    """Return the address at the other end of a connection that ZeroMQ has just accepted."""
    try:
        borrowed = socket.socket(fileno=handle)  # No handle of its own: there may be none left.
    except OSError:
        return _NO_ADDRESS
    try:
        return str(borrowed.getpeername()[0])
    except (OSError, IndexError):
        return _NO_ADDRESS
    finally:
        borrowed.detach()

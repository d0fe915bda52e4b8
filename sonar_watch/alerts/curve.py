"""CURVE: who the other end is, and nobody reads along.

Keys are ZeroMQ certificate files: NAME.key is public and goes to the other side,
NAME.key_secret stays where it was made. `sonar-watch keys` makes them and lets keys in.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from sonar_watch.errors import ConfigurationError

log = logging.getLogger(__name__)

ALLOWED_FOLDER = "allowed"
"""Beside the watch's own keys: the public keys of those who may subscribe."""

_DOMAIN = "*"
_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKeys:
    """What a subscriber needs: its own key pair and the publisher's public key, Z85 text."""

    public: bytes
    secret: bytes
    server: bytes

    def apply(self, to: zmq.Socket[bytes]) -> None:
        """Encrypt `to`; before it connects."""
        to.curve_publickey = self.public
        to.curve_secretkey = self.secret
        to.curve_serverkey = self.server


class Gate:
    """Lets in the clients whose public key lies in a folder; read again at each handshake.

    Parameters
    ----------
    context : zmq.Context
    secret : Path
        Secret certificate of the publisher.
    allowed : Path
        Folder of the public certificates of those who may connect.

    Raises
    ------
    ConfigurationError
        The key or the folder cannot be read.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], secret: Path, allowed: Path
    ) -> None:
        self._public, self._secret = load_pair(secret)
        if not allowed.is_dir():
            raise ConfigurationError(
                f"expected a folder of public keys at {allowed} (`sonar-watch keys allow` makes it)"
            )
        self._authenticator = ThreadAuthenticator(context, log=log)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(_DOMAIN, _AllowList(allowed))

    def guard(self, to: zmq.Socket[bytes]) -> None:
        """Encrypt `to` and admit only the listed; before it binds."""
        to.curve_publickey = self._public
        to.curve_secretkey = self._secret
        to.curve_server = True
        to.zap_domain = _DOMAIN.encode()

    def close(self) -> None:
        """Stop answering; connections that stand keep standing."""
        self._authenticator.stop()


class _AllowList:
    """The answer to "may this key come in?", in the form pyzmq asks it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def callback(self, _domain: str, key: bytes) -> bool:
        """Return whether `key` (Z85) is among the public certificates of the folder."""
        try:
            allowed = bool(zmq.auth.load_certificates(self._folder).get(key))
        except (OSError, ValueError) as error:
            log.error("cannot read the keys in %s: %s", self._folder, error)
            return False
        if not allowed:
            log.warning("turned away a client with the unknown key %s", key.decode())
        return allowed


def make_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a key pair and return the paths of NAME.key and NAME.key_secret.

    A folder that is made is for its owner alone (mode 0700), the secret always (0600).

    Raises
    ------
    ConfigurationError
        There is one of that name already, the name is not one for a file, or the folder cannot
        be written.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"expected a name of letters, digits, _ . -, received {name!r}")
    public, secret = folder / f"{name}.key", folder / f"{name}.key_secret"
    if public.exists() or secret.exists():
        raise ConfigurationError(f"{public} exists: keys are never overwritten; remove it yourself")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret.touch(mode=0o600, exist_ok=False)
        zmq.auth.create_certificates(folder, name)
    except OSError as error:
        raise ConfigurationError(f"cannot write keys into {folder}: {error}") from error
    return public, secret


def allow_key(server: Path, public: Path) -> Path:
    """Let the holder of a public key subscribe; return where its copy lies.

    Parameters
    ----------
    server : Path
        Folder of the watch's own keys; the copy goes into its `ALLOWED_FOLDER`, from where a
        running watch takes it at once.
    public : Path
        NAME.key, as it came from the subscriber.

    Raises
    ------
    ConfigurationError
        The folder or the key cannot be read or written, the key is a secret one, or another
        key has that name already.
    """
    if not server.is_dir():
        raise ConfigurationError(f"{server}: expected the folder of the watch's own keys")
    key, secret = _load(public)
    if secret is not None:
        raise ConfigurationError(
            f"{public}: this is a secret key and stays where it was made; bring its NAME.key"
        )
    target = server / ALLOWED_FOLDER / f"{public.stem}.key"
    if target.exists() and _load(target)[0] == key:
        return target
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        _write_new(target, public.read_bytes())
    except FileExistsError as error:
        raise ConfigurationError(
            f"{target} is another key: keys are never overwritten; remove it yourself"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error}") from error
    return target


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, whole at once: a watch may be reading the folder."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch(mode=0o600)
        temporary.write_bytes(content)
        path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def client_keys(secret: Path, server: Path) -> ClientKeys:
    """Return a subscriber's keys from its secret and the publisher's public certificate.

    Raises
    ------
    ConfigurationError
        A file is missing or is no certificate.
    """
    public, own = load_pair(secret)
    return ClientKeys(public=public, secret=own, server=_load(server)[0])


def load_pair(secret: Path) -> tuple[bytes, bytes]:
    """Return public and secret key (Z85) of a secret certificate.

    Raises
    ------
    ConfigurationError
        The file is missing, is no certificate or holds no secret key.
    """
    public, own = _load(secret)
    if own is None:
        raise ConfigurationError(f"{secret}: expected a NAME.key_secret file, found a public key")
    return public, own


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        return zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: expected a ZeroMQ certificate: {error}") from error

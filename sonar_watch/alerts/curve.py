"""CURVE: who the other end is, and nobody reads along.

Keys are ZeroMQ certificate files: NAME.key is public and goes to the other side,
NAME.key_secret stays where it was made. `sonar-watch keys` makes them and lets keys in.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth

from sonar_watch.errors import ConfigurationError

ALLOWED_FOLDER = "allowed"
"""Beside the watch's own keys: the public keys of those who may subscribe."""

REVIEWERS_FOLDER = "reviewers"
"""Beside it: the public keys of those whose verdicts on events are taken, too."""

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


def allow_key(server: Path, public: Path, *, reviewer: bool = False) -> Path:
    """Let the holder of a public key subscribe; return where its copy lies.

    Parameters
    ----------
    server : Path
        Folder of the watch's own keys; the copy goes into its `ALLOWED_FOLDER`, from where a
        running watch takes it at once.
    public : Path
        NAME.key, as it came from the subscriber.
    reviewer : bool
        Take its verdicts on events, too: another copy goes into `REVIEWERS_FOLDER`.

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
    folders = (ALLOWED_FOLDER, REVIEWERS_FOLDER) if reviewer else (ALLOWED_FOLDER,)
    targets = [server / folder / f"{public.stem}.key" for folder in folders]
    for target in targets:
        _install(key, public, target)
    return targets[0]


def _install(key: bytes, public: Path, target: Path) -> None:
    """Copy a public key, for the watch alone to read; one that is there already stays."""
    if target.exists() and _load(target)[0] == key:
        return
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        _write_new(target, public.read_bytes())
    except FileExistsError as error:
        raise ConfigurationError(
            f"{target} is another key: keys are never overwritten; remove it yourself"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error}") from error


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
        A file is missing or is no certificate, or others may read the secret.
    """
    public, own = load_pair(secret)
    return ClientKeys(public=public, secret=own, server=_load(server)[0])


def load_pair(secret: Path) -> tuple[bytes, bytes]:
    """Return public and secret key (Z85) of a secret certificate.

    Raises
    ------
    ConfigurationError
        The file is missing, is no certificate or holds no secret key, or others may read it.
    """
    public, own = _load(secret)
    if own is None:
        raise ConfigurationError(f"{secret}: expected a NAME.key_secret file, found a public key")
    _expect_secret(secret)
    return public, own


def _expect_secret(path: Path) -> None:
    """Refuse a secret that is none: others may read it, or put another in its place."""
    found = path.stat()
    # One that root keeps for us comes through its group, or a list that looks like one.
    ours = found.st_uid == os.geteuid()
    if not ours and found.st_uid != 0:
        raise ConfigurationError(
            f"{path}: belongs to another user ({found.st_uid}), who may put another key in its "
            f"place: chown it to this one ({os.geteuid()}), or to root"
        )
    if found.st_mode & (stat.S_IRWXO | stat.S_IWGRP | (stat.S_IRWXG if ours else 0)):
        raise ConfigurationError(
            f"{path}: others may read this secret key (mode {stat.S_IMODE(found.st_mode):04o}): "
            f"chmod 600 {path}, and make a new one if somebody may have read it"
        )


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        return zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: expected a ZeroMQ certificate: {error}") from error

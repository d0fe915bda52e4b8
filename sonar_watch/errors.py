"""The exceptions of sonar_watch, one tree:

    SonarWatchError
    +-- ConfigurationError  a setting is wrong: key, line, what was expected   (ValueError)
    +-- FormatError         bytes break their format: file, offset             (ValueError)
    +-- ImageError          a picture is cut, too large or not decodable       (ValueError)
    +-- GeometryError       pixels cannot be tied to metres                    (ValueError)
    +-- NavigationError     no usable position, heading or time                (ValueError)
    +-- WeightsError        weights missing, or not the ones in the manifest   (OSError)
    |   +-- NoWeightsError          there are none at all
    |   +-- UnknownWeightsError     there are others: a wrong name, and so a ConfigurationError, too
    +-- InferenceError      the runtime could not run the network              (RuntimeError)
    |   +-- DeviceMemoryError         the device has too little memory: run less at once
    |   +-- DeviceLostError           the device is gone: only a new process may help
    +-- JournalError        the journal cannot be read or written              (OSError)
    |   +-- JournalUnavailableError   for now: disk full, locked, read-only
    |   +-- JournalDamagedError       for good: its bytes are not what was written
    +-- WireError           a message or socket is not what docs/wire.md says  (ValueError)

Messages say what was expected, what came and where (file, offset, key).
"""


class SonarWatchError(Exception):
    """Anything this package raises on purpose."""


class ConfigurationError(SonarWatchError, ValueError):
    """A setting is wrong; the command line answers with exit code 78."""


class FormatError(SonarWatchError, ValueError):
    """Bytes that break the format they claim.

    Parameters
    ----------
    message : str
        What was expected and what came.
    file : str, optional
        Name of the file, or of the socket.
    offset : int, optional
        Byte offset of the datagram in the file.
    """

    def __init__(self, message: str, *, file: str = "", offset: int | None = None) -> None:
        where = file + (f" at byte {offset}" if offset is not None else "")
        super().__init__(f"{where}: {message}" if where else message)
        self.file = file
        self.offset = offset


class ImageError(SonarWatchError, ValueError):
    """A picture that is cut, too large or not decodable."""


class GeometryError(SonarWatchError, ValueError):
    """Pixels that cannot be tied to metres."""


class NavigationError(SonarWatchError, ValueError):
    """No usable position, heading or time."""


class WeightsError(SonarWatchError, OSError):
    """Weights that are missing or are not the ones the manifest names."""


class NoWeightsError(WeightsError):
    """No manifest of weights was found anywhere: not even other ones are known."""


class UnknownWeightsError(WeightsError, ConfigurationError):
    """Weights that are named by no manifest, though all that should are there: a wrong name."""


class InferenceError(SonarWatchError, RuntimeError):
    """The runtime could not run the network."""


class DeviceMemoryError(InferenceError):
    """The device has too little memory for what it was asked to run at once."""


class DeviceLostError(InferenceError):
    """The device is gone or does not answer to this process any more; a new process may help."""


class JournalError(SonarWatchError, OSError):
    """The journal cannot be read or written."""


class JournalUnavailableError(JournalError):
    """The journal cannot be used for now: the disk is full, locked or read-only."""


class JournalDamagedError(JournalError):
    """The journal's bytes are not what was written; what is left can be kept, not gone on with."""


class WireError(SonarWatchError, ValueError):
    """A message that is not what docs/wire.md says, or an endpoint that cannot be had."""

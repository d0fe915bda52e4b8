"""`.all` and `.wcd` (SIS 3 and 4): datagrams -> records, and the encoders."""

from __future__ import annotations

from sonar_watch.formats.datagrams import Datagram, IsDone, LineContext, RawItem, never


class EmDecoder:
    """Datagrams of one file or stream -> records; parameters as `KmallDecoder`."""

    def __init__(
        self,
        *,
        source: str,
        file: str,
        context: LineContext,
        is_done: IsDone = never,
        water_column: bool = True,
    ) -> None:
        self._source, self._file = source, file
        self._shared, self._own = context, LineContext()
        self._is_done, self._water_column = is_done, water_column

    def wants(self, head: bytes) -> bool:
        """Tell from its first bytes whether a datagram has something new to say."""
        return False

    def decode(self, datagram: Datagram) -> list[RawItem]:
        """Return what this datagram completes."""
        return []

    def flush(self) -> list[RawItem]:
        """Return what was still held."""
        return []

"""Swaths drawn and searched while they wait for their navigation: no picture depends on it.

Navigation comes a second after the ping, for several swaths at once. What is done before it comes
is not waited for when it has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import DeviceLostError
from sonar_watch.pipeline.hold import Swath
from sonar_watch.pipeline.stages import Stages
from sonar_watch.records import WaterColumnFrame

MOST_AHEAD = 12
"""Swaths prepared at most: a picture takes more room than its ping."""
AT_ONCE = 2
"""Swaths prepared in one go: navigation that comes meanwhile waits for them."""


@dataclass(slots=True)
class Prepared:
    """A swath as far as it gets without navigation.

    Parameters
    ----------
    frame : WaterColumnFrame or None
        None when it could not be drawn.
    error : Exception or None
        Why not.
    found, opinion : Detections or None
        Of the network; of who seconds it. None = not looked yet.
    memory : mapping
        What drawing it changed in the memory of the pictures, for the checkpoint.
    """

    frame: WaterColumnFrame | None = None
    error: Exception | None = None
    found: Detections | None = None
    opinion: Detections | None = None
    memory: Mapping[str, bytes | None] = field(default_factory=dict)


class WorkAhead:
    """Prepares the swaths that leave next, in the order in which they will leave.

    The memory of the pictures is then ahead of the journal: what each swath changed in it is
    kept with the swath, and stored when the swath is.

    Parameters
    ----------
    stages : Stages
    """

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._ready: dict[str, Prepared] = {}

    def __len__(self) -> int:
        """Swaths prepared that have not left."""
        return len(self._ready)

    def take(self, swath: Swath) -> Prepared:
        """Return a swath that leaves, prepared before or drawn now."""
        return self._ready.pop(swath.frame_id, None) or self._draw(swath)

    def memory(self) -> dict[str, bytes | None]:
        """Return what was drawn but not prepared changed since the last call; see `Prepared`."""
        return {} if self._ready else self._stages.raster.memory()

    def is_behind(self, waiting: Iterable[Swath]) -> bool:
        """Return whether there is something to prepare."""
        return bool(self._next(waiting, 1))

    def prepare(self, waiting: Iterable[Swath]) -> bool:
        """Prepare the next few; return False when told to end.

        Parameters
        ----------
        waiting : iterable of swaths
            In the order in which they will leave.

        Raises
        ------
        DeviceLostError
            Nothing runs in this process any more.
        """
        stages, drawn = self._stages, list[Prepared]()
        for swath in self._next(waiting, AT_ONCE):
            if not stages.heartbeat("raster"):
                return False
            self._ready[swath.frame_id] = ready = self._draw(swath)
            ready.memory = stages.raster.memory()
            drawn.append(ready)
        pictures = [(ready, ready.frame) for ready in drawn if ready.frame is not None]
        if not pictures:
            return True
        going_on = stages.heartbeat("detection")
        try:
            found = stages.detector.find([frame for _, frame in pictures])
        except DeviceLostError:
            raise
        except Exception:  # noqa: BLE001 - looked at again, one by one, when it leaves
            return going_on
        for (ready, frame), detections in zip(pictures, found, strict=True):
            ready.found, ready.opinion = detections, stages.detector.second(frame)
        return going_on

    def forget_found(self) -> None:
        """Look again at what was found: what counts as found is another thing now."""
        for ready in self._ready.values():
            ready.found = None

    def _next(self, waiting: Iterable[Swath], most: int) -> list[Swath]:
        room = min(most, MOST_AHEAD - len(self._ready))
        unprepared = (swath for swath in waiting if swath.frame_id not in self._ready)
        return list(islice(unprepared, max(0, room)))

    def _draw(self, swath: Swath) -> Prepared:
        try:
            if isinstance(swath, WaterColumnFrame):
                return Prepared(frame=swath)
            return Prepared(frame=self._stages.raster.frame(swath))
        except Exception as error:  # noqa: BLE001 - the one place: a bad frame never stops the watch
            return Prepared(error=error)

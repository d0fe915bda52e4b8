"""The settings of a watch: every stage owns an options dataclass, here they are put together."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from dataclasses import dataclass, field
from pathlib import Path

from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.association.tracker import TrackerOptions
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.errors import ConfigurationError
from sonar_watch.geolocation.georeference import PositionOptions
from sonar_watch.geolocation.navigation import NavigationOptions
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.monitoring import HealthOptions
from sonar_watch.pipeline.stages import PipelineOptions
from sonar_watch.sources.folder import FolderOptions
from sonar_watch.sources.kmall_udp import KmallFeedOptions
from sonar_watch.sources.logs import NmeaLogOptions
from sonar_watch.sources.raw import RawOptions
from sonar_watch.sources.tcp import NmeaTcpOptions
from sonar_watch.sources.udp import NmeaFeedOptions
from sonar_watch.watercolumn.raster import RasterOptions
from sonar_watch.watercolumn.vetoes import VetoOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What the watch listens to; each list may be empty or hold several.

    Parameters
    ----------
    raw : list
        Folders into which the sounder writes .kmall/.kmwcd or .all/.wcd files.
    kmall_udp : list
        Sounders that send their datagrams over UDP (SIS 5).
    images : list
        Folders of water-column pictures with sidecars or a calibration.
    nmea_udp : list
        The ship's NMEA 0183 sentences over UDP.
    nmea_tcp : list
        The same from servers over TCP, such as serial gateways.
    nmea_logs : list
        NMEA log files as OpenRVDAS and CORIOLIX write them.
    """

    raw: tuple[RawOptions, ...] = ()
    kmall_udp: tuple[KmallFeedOptions, ...] = ()
    images: tuple[FolderOptions, ...] = ()
    nmea_udp: tuple[NmeaFeedOptions, ...] = ()
    nmea_tcp: tuple[NmeaTcpOptions, ...] = ()
    nmea_logs: tuple[NmeaLogOptions, ...] = ()

    @property
    def give_swaths(self) -> bool:
        """True when there is something to detect in, not navigation alone."""
        return bool(self.raw or self.kmall_udp or self.images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a watch is told.

    Parameters
    ----------
    data_dir : Path
        Where the journal and the pictures of events are kept. Relative paths count from the
        folder of the configuration file.
    log_level : str
        debug, info, warning or error.
    sources, raster, detector, vetoes, navigation, position, tracker, pipeline, alerts, health
        Options of the stages.
    slides : SlideOptions
        Of `sonar-watch slides`; a watch has no use for them.
    """

    data_dir: Path = Path("sonar_watch_data")
    log_level: typing.Literal["debug", "info", "warning", "error"] = "info"
    sources: SourceOptions = field(default_factory=SourceOptions)
    raster: RasterOptions = field(default_factory=RasterOptions)
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    vetoes: VetoOptions = field(default_factory=VetoOptions)
    navigation: NavigationOptions = field(default_factory=NavigationOptions)
    position: PositionOptions = field(default_factory=PositionOptions)
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    alerts: PublisherOptions = field(default_factory=PublisherOptions)
    health: HealthOptions = field(default_factory=HealthOptions)
    slides: SlideOptions = field(default_factory=SlideOptions)

    def __post_init__(self) -> None:
        kinds = dataclasses.fields(self.sources)
        names = [source.name for kind in kinds for source in getattr(self.sources, kind.name)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(
                f"sources: expected a name of its own for each, received {', '.join(twice)} twice"
            )

    @property
    def fingerprint(self) -> str:
        """sha256 of all that shapes an alert: the same live and in replay, whatever the paths."""
        shaping = ("raster", "vetoes", "navigation", "position", "tracker")
        content: dict[str, typing.Any] = {
            name: dataclasses.asdict(getattr(self, name)) for name in shaping
        }
        content["images"] = self._ways_to_read()
        content["detector"] = {
            "weights": str(self.detector.weights),
            "confidence": self.detector.confidence,
            "iou": self.detector.iou,
        }
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _ways_to_read(self) -> list[str]:
        """Return how pictures are read where that is not as usual, each way once.

        A folder that is read as usual is no setting: a replay of its files names none.
        """
        ways = {
            json.dumps(
                {"pictures": dataclasses.asdict(folder.pictures),
                 "calibration": folder.calibration and dataclasses.asdict(folder.calibration)},
                sort_keys=True, default=str,
            )
            for folder in self.sources.images
            if folder.calibration is not None or folder.pictures != type(folder.pictures)()
        }  # fmt: skip
        return sorted(ways)

"""What is wrong, and what to do about it: one small rule each, over plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sonar_watch.health.folders import FolderState
from sonar_watch.health.machine import ClockStep
from sonar_watch.monitoring import HealthOptions
from sonar_watch.monitoring.words import ago, in_words, size_in_words

KNOT_M_S = 0.514444
STEP_TOLD_S = 600.0
"""A jump of the clock is told for this long."""

HANGING_S = 30.0
"""A folder that has not answered for this long is on a share that is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What the rules judge.

    Parameters
    ----------
    ping_age_s, navigation_age_s, sounder_navigation_age_s : float or None
        Seconds since each was heard; None when it never was.
    uptime_s : float
    speed_m_s : float or None
        Over ground, last heard.
    present : bool
        What is heard is of now, not of a backlog.
    clock_offset_s, nmea_offset_s : float or None
        See `Hearing.clock_offset_s`; seconds that a sentence's date is ahead of the clock.
    clock_step : ClockStep or None
    folders : sequence of FolderState
    hanging : (str, float) or None
        A folder that does not answer, and for how many seconds.
    journal_bytes : int
    backlog : float
        Frames that wait ...
    backlog_growth : (float, float) or None
        ... and for how many seconds and by how much they have grown.
    device, runtime : str
        What the detector is told to run on, and what runs it.
    has_gpu : bool
        Whether this machine shows a GPU.
    metrics_trouble : str or None
        Why Prometheus is not answered, where it is to be.
    out_of_domain : mapping of str to str
        Why the network does not know what a sounder gives, by sounder.
    """

    ping_age_s: float | None = None
    navigation_age_s: float | None = None
    sounder_navigation_age_s: float | None = None
    uptime_s: float = 0.0
    speed_m_s: float | None = None
    present: bool = False
    clock_offset_s: float | None = None
    nmea_offset_s: float | None = None
    clock_step: ClockStep | None = None
    folders: Sequence[FolderState] = ()
    hanging: tuple[str, float] | None = None
    journal_bytes: int = 0
    backlog: float = 0.0
    backlog_growth: tuple[float, float] | None = None
    device: str = "auto"
    runtime: str = ""
    has_gpu: bool = False
    metrics_trouble: str | None = None
    out_of_domain: tuple[tuple[str, str], ...] = ()

    def under_way(self, limits: HealthOptions) -> bool:
        """Return whether the ship makes way now, as far as was heard."""
        return self.present and (self.speed_m_s or 0.0) > limits.under_way_m_s


Found = Iterator[tuple[str, str]]


def find_warnings(vitals: Vitals, limits: HealthOptions) -> dict[str, str]:
    """Return what is wrong: text by name, in words that say what to do."""
    return {name: text for rule in _RULES for name, text in rule(vitals, limits)}


def _no_water_column(vitals: Vitals, limits: HealthOptions) -> Found:
    if _water_column_is_off(vitals, limits):
        since = _since(vitals.ping_age_s, vitals.uptime_s)
        yield (
            "water_column_off",
            f"the sounder's navigation goes on, but no water column came {since}: switch "
            "water-column logging on in the sounder's program, or see whether it still pings",
        )


def _water_column_is_off(vitals: Vitals, limits: HealthOptions) -> bool:
    silent_s, heard_s = _silence(vitals), vitals.sounder_navigation_age_s
    goes_on = heard_s is not None and heard_s < limits.water_column_silent_s / 2
    return vitals.present and goes_on and silent_s > limits.water_column_silent_s


def _file_not_growing(vitals: Vitals, limits: HealthOptions) -> Found:
    for folder, quiet_s in _stalled(vitals, limits):
        yield (
            f"file_not_growing.{folder.folder}",
            f"{folder.newest} in the folder of {folder.folder} has not grown for "
            f"{in_words(quiet_s)} though the ship is under way: look at the sounder's program and "
            "the network share, unless recording was stopped on purpose",
        )


def _stalled(vitals: Vitals, limits: HealthOptions) -> Iterator[tuple[FolderState, float]]:
    for folder in vitals.folders:
        if folder.grown_s is None or not vitals.under_way(limits):
            continue
        # Seen at the look, so that a share that hangs makes no file look still.
        quiet_s = folder.looked_s - folder.grown_s
        if quiet_s > limits.file_silent_s:
            yield folder, quiet_s


def _no_ping(vitals: Vitals, limits: HealthOptions) -> Found:
    said = _water_column_is_off(vitals, limits) or any(_stalled(vitals, limits))
    if not said and vitals.under_way(limits) and _silence(vitals) > limits.ping_silent_s:
        knots = (vitals.speed_m_s or 0.0) / KNOT_M_S
        yield (
            "no_ping",
            f"under way at {knots:.1f} kn, but no new ping "
            f"{_since(vitals.ping_age_s, vitals.uptime_s)}: does the sounder ping, and do its "
            "files or datagrams reach this computer?",
        )


def _no_navigation(vitals: Vitals, limits: HealthOptions) -> Found:
    age_s = vitals.uptime_s if vitals.navigation_age_s is None else vitals.navigation_age_s
    pinging = vitals.ping_age_s is not None and vitals.ping_age_s < limits.navigation_silent_s
    if pinging and age_s > limits.navigation_silent_s:
        yield (
            "no_navigation",
            f"pings come, but no position {_since(vitals.navigation_age_s, vitals.uptime_s)}: "
            "alerts will have none; look at the navigation feed and sources.nmea_udp",
        )


def _clock(vitals: Vitals, limits: HealthOptions) -> Found:
    step, offset_s, nmea_s = vitals.clock_step, vitals.clock_offset_s, vitals.nmea_offset_s
    if step is not None and step.age_s < STEP_TOLD_S:
        yield (
            "clock_step",
            f"this computer's clock jumped by {step.step_s:+.1f} s {ago(step.age_s)}: see that "
            "NTP or chrony runs; sentences over UDP are stamped with this clock",
        )
    if offset_s is not None and offset_s < -limits.clock_offset_s:
        yield (
            "clock_offset",
            f"pings are dated {-offset_s:.1f} s ahead of this computer's clock: set both clocks "
            "by the same time server",
        )
    if nmea_s is not None and abs(nmea_s) > limits.clock_offset_s:
        yield (
            "navigation_clock",
            f"the date in the navigation is {abs(nmea_s):.1f} s "
            f"{'ahead of' if nmea_s > 0 else 'behind'} this computer's clock: positions are "
            "stamped with this clock; set it by the same time server",
        )


def _disks(vitals: Vitals, limits: HealthOptions) -> Found:
    told: set[int | None] = set()
    for folder in vitals.folders:
        free, total = folder.free_bytes, folder.total_bytes
        if free is None or not total or folder.disk in told:
            continue
        share = min(limits.disk_free_share * total, limits.disk_free_enough_gb * 1e9)
        if free < max(limits.disk_free_gb * 1e9, share):
            told |= {folder.disk} - {None}
            data = folder.folder == "data_dir"
            what = "the data folder" if data else f"source {folder.folder}"
            why = "nothing is published" if data else "nothing is recorded"
            yield (
                f"disk_full.{folder.folder}",
                f"{size_in_words(free)} ({free / total:.0%}) left on the disk of {what}: make "
                f"room; when it is full, {why}",
            )


def _folders(vitals: Vitals, _limits: HealthOptions) -> Found:
    if vitals.hanging is not None and vitals.hanging[1] > HANGING_S:
        name, lasted_s = vitals.hanging
        yield (
            f"folder_away.{name}",
            f"the folder of {name} has not answered for {in_words(lasted_s)}: is the network share "
            "up?",
        )
    for folder in vitals.folders:
        if folder.error:
            yield (
                f"folder_away.{folder.folder}",
                f"the folder of {folder.folder} cannot be looked at: {folder.error}; is the share "
                "mounted, and may this user read it?",
            )


def _journal(vitals: Vitals, limits: HealthOptions) -> Found:
    if vitals.journal_bytes > limits.journal_gb * 1e9:
        yield (
            "journal_large",
            f"the journal has grown to {vitals.journal_bytes / 1e9:.1f} GB: between cruises stop "
            "the watch, keep the file elsewhere and start a new one",
        )


def _backlog(vitals: Vitals, limits: HealthOptions) -> Found:
    growth = vitals.backlog_growth
    if growth is not None and growth[0] > limits.backlog_growing_s:
        yield (
            "backlog_growing",
            f"{vitals.backlog:.0f} frames wait, {growth[1]:.0f} more than {ago(growth[0])}: this "
            "computer does not keep up; use the GPU, or end what else runs here",
        )


def _metrics(vitals: Vitals, _limits: HealthOptions) -> Found:
    if vitals.metrics_trouble is not None:
        yield "metrics_away", f"nobody can read the numbers: {vitals.metrics_trouble}"


def _device(vitals: Vitals, _limits: HealthOptions) -> Found:
    asked = vitals.device.startswith("cuda") or (vitals.device == "auto" and vitals.has_gpu)
    network = vitals.runtime not in ("", "classical")
    if asked and network and "cuda" not in vitals.runtime:
        yield (
            "gpu_unused",
            f"detection runs on {vitals.runtime} though there is a GPU to use "
            f"(detector.device: {vitals.device}): `sonar-watch doctor` says what is missing",
        )


def _domain(vitals: Vitals, _limits: HealthOptions) -> Found:
    for sounder, reason in vitals.out_of_domain:
        yield (
            f"out_of_domain.{sounder}",
            f"{sounder}: {reason}: the network was not trained for it; do not rely on its silence",
        )


_RULES: tuple[Callable[[Vitals, HealthOptions], Found], ...] = (
    _no_water_column,
    _file_not_growing,
    _no_ping,
    _no_navigation,
    _clock,
    _disks,
    _folders,
    _journal,
    _backlog,
    _metrics,
    _device,
    _domain,
)


def _silence(vitals: Vitals) -> float:
    return vitals.uptime_s if vitals.ping_age_s is None else vitals.ping_age_s


def _since(age_s: float | None, uptime_s: float) -> str:
    if age_s is None:
        return f"since the start {ago(uptime_s)}"
    return f"for {in_words(age_s)}"

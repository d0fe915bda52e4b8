"""How many ichthyoliths, per slide and per sample, how sure that is, and how long they are.

A sample is what lies on all of its slides: counts are summed first and estimated then, so a
sample's interval is narrower than those of its slides. The statistics are in `estimates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.estimates import Estimate, Skill, Tally, corrected, counted, ratio
from sonar_watch.ichthyolith.lengths import Lengths, lengths_of
from sonar_watch.ichthyolith.records import ICHTHYOLITHS, SlideObject

ALL = "ichthyolith"
"""How the sum of all classes that are counted is called."""

Level = Literal["slide", "sample"]
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusOptions:
    """How objects are counted.

    Parameters
    ----------
    sawtoothed : {"own", "tooth"}
        Count saw-toothed ichthyoliths on their own, or as teeth.
    size_edges_um : tuple of float
        Lengths that part the size fractions, rising; below the first and above the last are
        fractions, too.
    """

    sawtoothed: Literal["own", "tooth"] = "own"
    size_edges_um: tuple[float, ...] = (63.0, 125.0, 250.0)

    def __post_init__(self) -> None:
        edges = self.size_edges_um
        if any(edge <= 0 for edge in edges) or list(edges) != sorted(set(edges)):
            raise ConfigurationError(
                f"size_edges_um: expected rising lengths above 0, received {list(edges)}"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """What is counted each for itself."""
        return tuple(name for name in ICHTHYOLITHS if self.counted_as(name) == name)

    def counted_as(self, class_name: str) -> str:
        """Return as what an object of a class is counted."""
        as_tooth = class_name == "sawtoothed" and self.sawtoothed == "tooth"
        return "tooth" if as_tooth else class_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What of a slide was scanned; a slide without any object has one, too.

    Parameters
    ----------
    site, sample, slide : str
    tiles : int
        That were read.
    broken_tiles : int
        That could not be read: what lies on them is not counted.
    missing_tiles : int
        Holes in the grid of tiles; 0 where no grid can be told.
    scanned_area_mm2 : float or None
        Of the union of all tiles read; None without a scale.
    coverage : float or None
        Share of the scanned rectangle that was read, 0 to 1; None where no grid can be told.
    um_per_px : float or None
        The scale; None when lengths were not measured.
    """

    site: str
    sample: str
    slide: str
    tiles: int
    broken_tiles: int = 0
    missing_tiles: int = 0
    scanned_area_mm2: float | None = None
    coverage: float | None = 1.0
    um_per_px: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One class, or all, on one slide or in one sample.

    Parameters
    ----------
    tally : Tally
        Counted by the detector alone, and confirmed by a person.
    counted : Estimate
        With the exact Poisson interval.
    corrected : Estimate or None
        For the detector's precision and recall; None where its skill was never measured.
    per_gram, corrected_per_gram : Estimate or None
        None without a mass; only samples have one.
    lengths : Lengths
    """

    tally: Tally
    counted: Estimate
    corrected: Estimate | None
    per_gram: Estimate | None
    corrected_per_gram: Estimate | None
    lengths: Lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusRow:
    """What was counted on one slide, or in one sample.

    Parameters
    ----------
    level : {"slide", "sample"}
    site, sample, slide : str
        `slide` is empty for a sample.
    slides, tiles, broken_tiles, missing_tiles : int
    scanned_area_mm2 : float or None
    coverage : float or None
        Share of the scanned rectangles that was read; of a sample that of all its slides'
        rectangles together. None where that of a slide is not known.
    dry_mass_g : float or None
    counts : mapping of class to Count
        Classes that are counted each for itself, and "ichthyolith" for their sum.
    denticle_tooth_ratio, corrected_ratio : Estimate or None
        Corrected: None unless the skill with both classes was measured.
    objects : int
        All physical objects listed, noise among them.
    reviewed : int
        Those a person has looked at, rejected ones among them.
    """

    level: Level
    site: str
    sample: str
    slide: str
    slides: int
    tiles: int
    broken_tiles: int
    missing_tiles: int
    scanned_area_mm2: float | None
    coverage: float | None
    dry_mass_g: float | None
    counts: Mapping[str, Count]
    denticle_tooth_ratio: Estimate
    corrected_ratio: Estimate | None
    objects: int
    reviewed: int

    @property
    def reviewed_share(self) -> float | None:
        """Share of the objects listed that a person has looked at; None when there are none."""
        return self.reviewed / self.objects if self.objects else None


@dataclass(frozen=True, slots=True)
class _Group:
    """What is counted together."""

    level: Level
    key: Key
    scans: list[Scan] = field(default_factory=list)
    objects: list[SlideObject] = field(default_factory=list)


def take_census(
    objects: Iterable[SlideObject],
    scans: Sequence[Scan],
    *,
    masses_g: Mapping[str, float] | None = None,
    skills: Mapping[str, Skill] | None = None,
    taken: Mapping[str, str] | None = None,
    options: CensusOptions | None = None,
) -> list[CensusRow]:
    """Return the rows of every sample, each after those of its slides, in order of the scans.

    Parameters
    ----------
    objects : iterable of SlideObject
        Of all slides, noise among them: it is not counted, but says how much was reviewed.
    scans : sequence of Scan
        One of each slide that was searched.
    masses_g : mapping of sample to float
        Dry mass, in grams, of the sediment that was picked for the slides of a sample.
    skills : mapping of class to Skill
        Measured on slides left out; "ichthyolith" is that of all classes together.
    taken : mapping of object_id to class
        What the networks took those objects for that a person called something else.
    options : CensusOptions

    Raises
    ------
    ValueError
        An object of a slide that has no scan, a slide with two, or a mass that is not above 0.
    """
    options = options or CensusOptions()
    masses = dict(masses_g or {})
    for sample, mass in masses.items():
        if not mass > 0:
            raise ValueError(f"sample {sample}: expected a dry mass above 0 g, received {mass}")
    groups = _group(objects, scans)
    asked = _skills_as_counted(skills or {}, options)
    return [_row(group, masses, asked, taken or {}, options) for group in groups]


def _group(objects: Iterable[SlideObject], scans: Sequence[Scan]) -> list[_Group]:
    """Return the slides of each sample, then the sample."""
    slides: dict[Key, _Group] = {}
    samples: dict[Key, list[_Group]] = {}
    for scan in scans:
        key = (scan.site, scan.sample, scan.slide)
        if key in slides:
            raise ValueError(f"slide {'/'.join(key)}: expected one scan, received two")
        slides[key] = _Group("slide", key, [scan])
        samples.setdefault((scan.site, scan.sample, ""), []).append(slides[key])
    for one in objects:
        key = (one.site, one.sample, one.slide)
        if key not in slides:
            raise ValueError(f"object {one.object_id}: no scan of slide {'/'.join(key)}")
        slides[key].objects.append(one)
    ordered = []
    for key, parts in samples.items():
        both = [scan for part in parts for scan in part.scans]
        every = [one for part in parts for one in part.objects]
        ordered += [*parts, _Group("sample", key, both, every)]
    return ordered


def _skills_as_counted(skills: Mapping[str, Skill], options: CensusOptions) -> dict[str, Skill]:
    """Return the skills of what is counted: with saw-toothed ones as teeth both are pooled."""
    pooled = {name: skill for name, skill in skills.items() if name == ALL}
    for name in ICHTHYOLITHS:
        if name in skills:
            into = options.counted_as(name)
            pooled[into] = pooled[into] + skills[name] if into in pooled else skills[name]
    return pooled


def _row(
    group: _Group, masses: Mapping[str, float], skills: Mapping[str, Skill],
    taken: Mapping[str, str], options: CensusOptions,
) -> CensusRow:
    mass = masses.get(group.key[1]) if group.level == "sample" else None
    areas = [scan.scanned_area_mm2 for scan in group.scans]
    tiles = sum(scan.tiles for scan in group.scans)
    members = _members(group.objects, options)
    counts = {
        name: _count(found, _tally(name, found, taken, options), skills.get(name), mass,
                     options.size_edges_um)
        for name, found in members.items()
    }  # fmt: skip
    denticles, teeth = counts["denticle"].tally, counts["tooth"].tally
    both = (skills.get("denticle"), skills.get("tooth"))
    known = all(counts[name].corrected is not None for name in ("denticle", "tooth"))
    return CensusRow(
        level=group.level,
        site=group.key[0],
        sample=group.key[1],
        slide=group.key[2],
        slides=len(group.scans),
        tiles=tiles,
        broken_tiles=sum(scan.broken_tiles for scan in group.scans),
        missing_tiles=sum(scan.missing_tiles for scan in group.scans),
        scanned_area_mm2=None if None in areas else sum(area or 0.0 for area in areas),
        coverage=_coverage(group.scans),
        dry_mass_g=mass,
        counts=counts,
        denticle_tooth_ratio=ratio(denticles, teeth),
        corrected_ratio=ratio(denticles, teeth, both) if known else None,
        objects=len(group.objects),
        reviewed=sum(one.reviewed for one in group.objects),
    )


def _coverage(scans: Sequence[Scan]) -> float | None:
    """Return the share of all places in the slides' grids: a slide of few tiles has many places."""
    read = places = 0.0
    for scan in scans:
        if scan.coverage is None:
            return None
        own = scan.tiles + scan.broken_tiles + scan.missing_tiles
        read += scan.coverage * own
        places += own
    return read / max(places, 1.0)


def _members(
    objects: Iterable[SlideObject], options: CensusOptions
) -> dict[str, list[SlideObject]]:
    """Return the objects of each class that is counted, and of all."""
    members: dict[str, list[SlideObject]] = {name: [] for name in (*options.classes, ALL)}
    for one in objects:
        if one.class_name in ICHTHYOLITHS:
            members[options.counted_as(one.class_name)].append(one)
            members[ALL].append(one)
    return members


def _tally(
    name: str, found: Sequence[SlideObject], taken: Mapping[str, str], options: CensusOptions
) -> Tally:
    """Return how many of a class were counted by whom; of all, when `name` is `ALL`."""
    reviewed = [one for one in found if one.reviewed]
    before = [taken.get(one.object_id, one.class_name) for one in reviewed]
    if name == ALL:
        rescued = sum(one not in ICHTHYOLITHS for one in before)
    else:
        rescued = sum(options.counted_as(one) != name for one in before)
    return Tally(
        unreviewed=len(found) - len(reviewed), reviewed=len(reviewed), rescued=rescued
    )


def _count(
    found: Sequence[SlideObject],
    tally: Tally,
    skill: Skill | None,
    mass_g: float | None,
    edges_um: Sequence[float],
) -> Count:
    plain, right = counted(tally), corrected(tally, skill)
    return Count(
        tally=tally,
        counted=plain,
        corrected=right,
        per_gram=plain / mass_g if mass_g else None,
        corrected_per_gram=right / mass_g if right and mass_g else None,
        lengths=lengths_of(found, edges_um),
    )

"""What training must never see: the surveys kept for tests, wherever their pictures lie.

`frozen.yaml`, beside the weights, names them:

    schema: sonar_watch.frozen/1
    surveys: [em710_karoline, "frozen-*"]      # names, * and ? as in file names
    simulated_seeds: [[900000000, 999999999]]  # first and last seed; surveys sim-SEED-...
    trial_seeds: [[7000001, 7999999]]          # of the cruises that events are judged on
    truth_sha256: {"frozen-1-*": 9f86...}      # of the truth of the set with these surveys
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from sonar_watch.detection.weights import model_folders
from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.learning.annotations import Dataset, read_dataset

logger = logging.getLogger(__name__)

FROZEN_NAME = "frozen.yaml"
_LEVELS = 4
"""So far above its pictures a set's file is looked for: <set>/images/<split>/<some>/<folder>."""
_SEED = re.compile(r"(?:sim|inj)-(\d+)(?:-|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenSurveys:
    """The surveys that only tests may use.

    Parameters
    ----------
    patterns : tuple of str
        Names; `*` and `?` as in file names.
    seeds : tuple of tuple of int
        First and last seed of the ranges that frozen sets are made from.
    trial_seeds : tuple of tuple of int
        The same of the cruises of trials: kept from training, but no seeds of sets.
    truth_sha256 : mapping of str to str
        Of the truth file of the frozen set that holds surveys of that name (or pattern).

    Examples
    --------
    >>> kept = FrozenSurveys(patterns=("em710_karoline",), seeds=((900, 999),))
    >>> [name for name in ("em710_karoline", "sim-950-000001", "sim-1-000001") if name in kept]
    ['em710_karoline', 'sim-950-000001']
    """

    patterns: tuple[str, ...] = ()
    seeds: tuple[tuple[int, int], ...] = ()
    trial_seeds: tuple[tuple[int, int], ...] = ()
    truth_sha256: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, survey: str) -> bool:
        # Disks that know no case give the same file back under another name.
        name, patterns = survey.casefold(), [pattern.casefold() for pattern in self.patterns]
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return True
        # An injected survey is called after its background: "em710_karoline-inj-17".
        if any(name.startswith(f"{pattern}-") for pattern in patterns):
            return True
        return any(self.reserves(int(seed)) for seed in _SEED.findall(survey))

    def has_seed(self, seed: int) -> bool:
        """Return whether that seed is one for frozen sets."""
        return any(first <= seed <= last for first, last in self.seeds)

    def reserves(self, seed: int) -> bool:
        """Return whether training must not see simulations of that seed."""
        trial = any(first <= seed <= last for first, last in self.trial_seeds)
        return trial or self.has_seed(seed)


def read_frozen(path: Path) -> FrozenSurveys:
    """Return the surveys that one file names.

    Raises
    ------
    FormatError
        It cannot be read, or is not such a file.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        hashes = document.get("truth_sha256") or {}
        return FrozenSurveys(
            patterns=tuple(str(name) for name in document.get("surveys") or ()),
            seeds=_ranges(document.get("simulated_seeds")),
            trial_seeds=_ranges(document.get("trial_seeds")),
            truth_sha256={str(name): str(value) for name, value in hashes.items()},
        )
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise FormatError(f"expected surveys kept for tests: {error}", file=str(path)) from error


def _ranges(pairs: Iterable[tuple[int, int]] | None) -> tuple[tuple[int, int], ...]:
    return tuple((int(first), int(last)) for first, last in pairs or ())


def known_frozen(models_dir: Path | None = None) -> FrozenSurveys:
    """Return all surveys that the frozen lists of the model folders name, taken together."""
    files = (folder / FROZEN_NAME for folder in model_folders(models_dir))
    lists = [read_frozen(path) for path in files if path.is_file()]
    return FrozenSurveys(
        patterns=tuple(pattern for one in lists for pattern in one.patterns),
        seeds=tuple(seeds for one in lists for seeds in one.seeds),
        trial_seeds=tuple(seeds for one in lists for seeds in one.trial_seeds),
        truth_sha256={name: value for one in lists for name, value in one.truth_sha256.items()},
    )


def refuse_frozen(data: Path, frozen: FrozenSurveys | None = None) -> None:
    """Refuse to train on a set that is for tests, or that holds a survey that is.

    Looked at are the set's own file, its truth, and the files and truth of every set in whose
    folders its pictures lie, folders within folders and links followed: they need not be its own.

    Parameters
    ----------
    data : Path
        The dataset's YAML file.
    frozen : FrozenSurveys or None
        None takes `known_frozen()`.

    Raises
    ------
    ConfigurationError
        It is, or does.
    FormatError
        A broken dataset or truth file.
    """
    kept = known_frozen() if frozen is None else frozen
    for path, dataset in _sets_of(data):
        if dataset.frozen:
            raise ConfigurationError(
                f"{path}: frozen: it is for tests; expected a set that training may see"
            )
        named = {name for names in dataset.surveys.values() for name in names}
        taken = sorted(name for name in named | _surveys_told(path.parent) if name in kept)
        if taken:
            raise ConfigurationError(
                f"{path}: holds surveys kept for tests ({_few(taken)}); expected none of those "
                f"in {FROZEN_NAME}"
            )


def refuse_shared_surveys(data: Path) -> None:
    """Refuse a set whose validation pictures are of surveys that it trains on.

    Its scores would say how well it remembers. Of a set that names no surveys nobody can tell:
    the log says so.

    Raises
    ------
    ConfigurationError
        Training and validation share a survey.
    FormatError
        A broken dataset or truth file.
    """
    train, val = surveys_of(data, "train"), surveys_of(data, "val")
    if not train:
        logger.warning("%s: names no surveys: nobody can tell whether its splits are honest, or "
                       "whether it holds what is kept for tests", data)
    if shared := sorted(train & val):
        raise ConfigurationError(
            f"{data}: expected each survey in one split, training and validation share "
            f"{_few(shared)}"
        )


def surveys_of(data: Path, split: str | None = None) -> frozenset[str]:
    """Return the surveys that a set, or one split of it, names in its file and in its truth.

    Raises
    ------
    FormatError
        A broken dataset or truth file.
    """
    known = read_dataset(data).surveys
    if split is not None:
        told = _surveys_in(data.parent / "truth" / f"{split}.jsonl")
        return frozenset({*known.get(split, ()), *told})
    named = {name for names in known.values() for name in names}
    return frozenset(named | _surveys_told(data.parent))


def expect_recorded(data: Path, split: str, frozen: FrozenSurveys | None = None) -> None:
    """Let a frozen set pass whose truth is the one recorded, or of which none is recorded.

    Parameters
    ----------
    data : Path
        The dataset's YAML file.
    split : str
        Whose truth counts.
    frozen : FrozenSurveys or None
        None takes `known_frozen()`.

    Raises
    ------
    ConfigurationError
        The set holds the surveys of a recorded one, with another truth.
    FormatError
        A broken dataset or truth file.
    """
    kept = known_frozen() if frozen is None else frozen
    if not kept.truth_sha256:
        return
    surveys = surveys_of(data)
    truth = data.parent / "truth" / f"{split}.jsonl"
    received = hashlib.sha256(truth.read_bytes()).hexdigest() if truth.is_file() else "none"
    for pattern, expected in kept.truth_sha256.items():
        if expected != received and any(fnmatchcase(name, pattern) for name in surveys):
            raise ConfigurationError(
                f"{truth}: expected the truth that {FROZEN_NAME} records for {pattern} (sha256 "
                f"{expected}), received {received}"
            )


def _few(names: list[str]) -> str:
    return f"{', '.join(names[:5])}{' …' if len(names) > 5 else ''}"


def _sets_of(data: Path) -> Iterator[tuple[Path, Dataset]]:
    """Yield a set and the sets in whose folders its pictures lie."""
    dataset = read_dataset(data)
    yield data, dataset
    places = {place for folder in dataset.folders.values() for place in _places(folder)}
    above = {file for place in places for file in _set_files(place)} - {data.resolve()}
    for file in sorted(above):
        other = read_dataset(file)
        folders = {file.parent / "images", *(one.resolve() for one in other.folders.values())}
        if any(place.is_relative_to(folder) for place in places for folder in folders):
            yield file, other


def _places(images: Path) -> set[Path]:
    """Return the folders that pictures lie in: the trainer looks into folders within folders."""
    places = set()
    for folder, _, files in os.walk(images, followlinks=True):
        places.add(Path(folder).resolve())
        links = (Path(folder, name) for name in files)
        places |= {link.resolve().parent for link in links if link.is_symlink()}
    return places


def _set_files(images: Path) -> Iterator[Path]:
    """Yield the files of the sets that a folder of pictures may lie in."""
    for folder in (images, *images.parents)[: _LEVELS + 1]:
        if (folder / "dataset.yaml").is_file():
            yield folder / "dataset.yaml"


def _surveys_told(root: Path) -> set[str]:
    """Return the surveys that the truth files of a set name."""
    return {name for path in (root / "truth").glob("*.jsonl") for name in _surveys_in(path)}


def _surveys_in(truth: Path) -> set[str]:
    """Return what a truth file names; a sheet of fans can be of several surveys."""
    if not truth.is_file():
        return set()
    try:
        with truth.open(encoding="utf-8") as lines:
            bodies = [json.loads(line) for line in lines if line.strip()]
        return {
            str(name)
            for body in bodies
            for name in (body.get("survey", ""), *(body.get("surveys") or ()))
            if name
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise FormatError(f"expected a JSON object a line: {error}", file=str(truth)) from error

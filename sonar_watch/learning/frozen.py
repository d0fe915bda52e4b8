"""What training must never see: the surveys kept for tests, wherever their pictures lie.

`frozen.yaml`, beside the weights, names them:

    schema: sonar_watch.frozen/1
    surveys: [em710_karoline, "frozen-*"]      # names, * and ? as in file names
    simulated_seeds: [[900000000, 999999999]]  # first and last seed; surveys sim-SEED-...
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from sonar_watch.detection.weights import model_folders
from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.learning.annotations import Dataset, read_dataset

FROZEN_NAME = "frozen.yaml"
_SEED = re.compile(r"(?:sim|inj)-(\d+)(?:-|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenSurveys:
    """The surveys that only tests may use.

    Parameters
    ----------
    patterns : tuple of str
        Names; `*` and `?` as in file names.
    seeds : tuple of tuple of int
        First and last seed of reserved ranges.

    Examples
    --------
    >>> kept = FrozenSurveys(patterns=("em710_karoline",), seeds=((900, 999),))
    >>> [name for name in ("em710_karoline", "sim-950-000001", "sim-1-000001") if name in kept]
    ['em710_karoline', 'sim-950-000001']
    """

    patterns: tuple[str, ...] = ()
    seeds: tuple[tuple[int, int], ...] = ()

    def __contains__(self, survey: str) -> bool:
        if any(fnmatchcase(survey, pattern) for pattern in self.patterns):
            return True
        # An injected survey is called after its background: "em710_karoline-inj-17".
        if any(survey.startswith(f"{pattern}-") for pattern in self.patterns):
            return True
        return any(self.has_seed(int(seed)) for seed in _SEED.findall(survey))

    def has_seed(self, seed: int) -> bool:
        """Return whether simulations of that seed are reserved for tests."""
        return any(first <= seed <= last for first, last in self.seeds)


def read_frozen(path: Path) -> FrozenSurveys:
    """Return the surveys that one file names.

    Raises
    ------
    FormatError
        It cannot be read, or is not such a file.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return FrozenSurveys(
            patterns=tuple(str(name) for name in document.get("surveys") or ()),
            seeds=tuple((int(a), int(b)) for a, b in document.get("simulated_seeds") or ()),
        )
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise FormatError(f"expected surveys kept for tests: {error}", file=str(path)) from error


def known_frozen(models_dir: Path | None = None) -> FrozenSurveys:
    """Return all surveys that the frozen lists of the model folders name, taken together."""
    files = (folder / FROZEN_NAME for folder in model_folders(models_dir))
    lists = [read_frozen(path) for path in files if path.is_file()]
    return FrozenSurveys(
        patterns=tuple(pattern for one in lists for pattern in one.patterns),
        seeds=tuple(seeds for one in lists for seeds in one.seeds),
    )


def refuse_frozen(data: Path, frozen: FrozenSurveys | None = None) -> None:
    """Refuse to train on a set that is for tests, or that holds a survey that is.

    Looked at are the set's own file, its truth, and the file of the set that its pictures lie
    in, which need not be its own.

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
        taken = sorted({name for name in _surveys_of(dataset) if name in kept})
        if taken:
            raise ConfigurationError(
                f"{path}: holds surveys kept for tests ({', '.join(taken[:5])}"
                f"{' …' if len(taken) > 5 else ''}); expected none of those in {FROZEN_NAME}"
            )


def _sets_of(data: Path) -> Iterator[tuple[Path, Dataset]]:
    """Yield a set and the sets in whose folders its pictures lie."""
    dataset = read_dataset(data)
    yield data, dataset
    seen = {data.resolve()}
    for folder in dataset.folders.values():
        other = _home(folder) / "dataset.yaml"
        if other.is_file() and other.resolve() not in seen:
            seen.add(other.resolve())
            yield other, read_dataset(other)


def _home(images: Path) -> Path:
    """Return the set's folder of `<set>/images/<split>`."""
    return images.resolve().parents[1]


def _surveys_of(dataset: Dataset) -> Iterator[str]:
    """Yield the surveys that a set names, and those that its truth files name."""
    for names in dataset.surveys.values():
        yield from names
    for folder in dataset.folders.values():
        yield from _surveys_in(_home(folder) / "truth" / f"{folder.name}.jsonl")


def _surveys_in(truth: Path) -> Iterable[str]:
    if not truth.is_file():
        return set()
    try:
        with truth.open(encoding="utf-8") as lines:
            return {str(json.loads(line).get("survey", "")) for line in lines if line.strip()}
    except (ValueError, AttributeError) as error:
        raise FormatError(f"expected a JSON object a line: {error}", file=str(truth)) from error

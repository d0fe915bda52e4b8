"""Which weights there are and where: models/MANIFEST.yaml, and nothing opened unchecked.

A manifest names, for each model, its files with their sha256 and what the network expects:

    schema: sonar_watch.models/1
    models:
      plume-n:
        files:
          torch: {name: plume-n.pt, sha256: 5f70...}
          openvino: {name: plume-n.xml, sha256: 21c9...}
          openvino_weights: {name: plume-n.bin, sha256: 77a0...}
        classes: [signal, noise]
        input_size: [640, 640]        # height, width in pixels
        channels: 3
        resizable: true               # may be run on less than input_size: no bars are computed
        head: nms                     # nms: raw boxes, thinned out here; end2end: final boxes
        architecture: yolo26n
        trained_on: what it has seen
        licence: AGPL-3.0-or-later
        scores: {f1: 0.9, confidence: 0.31}
        false_alerts_per_hour: [[0.3, 1.2], [0.5, 0.03]]   # [confidence, measured rate] each
        false_alert_hours: 100        # of data that the rates were counted over
        domain: {depth_m: [[30, 4000]]}   # bands of what it saw in training, by quantity and unit

A model that others published, such as a plume detector of YOLOv5, is run from its ONNX file:

      their-plumes:
        files:
          onnx: {name: their-plumes.onnx, sha256: 3b2f...}     # sha256sum their-plumes.onnx
        classes: [fluid]
        class_map: {fluid: signal}    # what this watch calls them
        input_size: [640, 640]        # that of the export
        head: yolov5                  # objectness and classes; raw maps are worked out, too
        encoding: grey                # it is shown the contrast alone; or absolute, see there
        # anchors: [[10, 13, 16, 30, 33, 23], ...]   # raw maps only, where training fitted them

A classifier of crops is told by its head, its architecture by the name that timm builds it by:

      ichthyolith-crops:
        files:
          safetensors: {name: ichthyolith-crops.safetensors, sha256: 9c1d...}
          openvino: {name: ichthyolith-crops.xml, sha256: 04be...}   # without: made at each start
          openvino_weights: {name: ichthyolith-crops.bin, sha256: d3a2...}
        classes: [tooth, denticle, sawtoothed, noise]
        input_size: [224, 224]
        head: classifier              # a probability per class
        architecture: tf_efficientnetv2_b0
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from sonar_watch.errors import NoWeightsError, UnknownWeightsError, WeightsError

logger = logging.getLogger(__name__)

MANIFEST_NAME = "MANIFEST.yaml"
SCHEMA = "sonar_watch.models/1"
MODELS_VARIABLE = "SONAR_WATCH_MODELS"
Head = Literal["nms", "end2end", "yolov5", "classifier"]
HEADS: tuple[Head, ...] = ("nms", "end2end", "yolov5", "classifier")
Shown = Literal["layers", "grey", "absolute"]
SHOWN: tuple[Shown, ...] = ("layers", "grey", "absolute")
Role = Literal["torch", "safetensors", "openvino", "openvino_weights", "onnx"]
ROLES: tuple[Role, ...] = ("torch", "safetensors", "openvino", "openvino_weights", "onnx")

_NAMING: tuple[Role, ...] = ("torch", "safetensors", "openvino_weights", "openvino", "onnx")
"""The first there is names the model: OpenVINO's graph is the same for other numbers in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One file of a model and the sha256 (hex) it must have."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """Return the bytes of the file, checked.

        Raises
        ------
        WeightsError
            The file is missing, or is not the one the manifest names.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise WeightsError(f"{self.path}: cannot be read ({error}); {_REMEDY}") from error
        received = hashlib.sha256(content).hexdigest()
        if received != self.sha256:
            raise WeightsError(
                f"{self.path}: expected sha256 {self.sha256}, received {received} "
                f"({len(content)} bytes); {_REMEDY}"
            )
        return content


_REMEDY = (
    f"put back the file that {MANIFEST_NAME} beside it names, or export the model again "
    "with `sonar-watch train`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsEntry:
    """One model of a manifest.

    Parameters
    ----------
    name : str
    files : mapping of {"torch", "openvino", "openvino_weights", "onnx", "safetensors"}
        To WeightsFile.
    classes : tuple of str
        As the network was taught.
    input_size : tuple of int
        Height and width of the network's input, in pixels.
    channels : {1, 3}
    resizable : bool
        The network takes any smaller input whose sides are multiples of 32.
    head : {"nms", "end2end", "yolov5", "classifier"}
        "nms": raw boxes that overlap, thinned out after the network. "end2end": final boxes.
        "yolov5": raw boxes with objectness, thinned out after the network. "classifier": no
        boxes but a probability per class.
    encoding : {"layers", "grey", "absolute"}
        What the network is shown of a picture of three channels: all, or the middle one thrice;
        "absolute" asks whoever draws for a picture of recorded levels instead.
    class_map : mapping of str to str
        Another name for some of the classes.
    anchors : tuple of tuple of float
        Of a "yolov5" head exported as raw maps; see `yolov5.ANCHORS`, which are the default.
    architecture, trained_on, licence : str
    scores : mapping of str to float or str
    false_alerts_per_hour : tuple of (confidence, rate)
        Events announced that were no plume, per hour of data, measured at each threshold; empty
        when it was not measured. See `budget.confidence_within`.
    false_alert_hours : float
        Hours of data that those were counted over; 0 where that is not known.
    domain : mapping of str to tuple of (lowest, highest)
        Bands of what it saw in training, by quantity and unit, such as "depth_m"; what is not
        named is not known.
    """

    name: str
    files: Mapping[str, WeightsFile]
    classes: tuple[str, ...]
    input_size: tuple[int, int]
    channels: int = 3
    resizable: bool = False
    head: Head = "nms"
    architecture: str = ""
    trained_on: str = ""
    licence: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)
    false_alerts_per_hour: tuple[tuple[float, float], ...] = ()
    false_alert_hours: float = 0.0
    encoding: Shown = "layers"
    class_map: Mapping[str, str] = field(default_factory=dict)
    anchors: tuple[tuple[float, ...], ...] = ()
    domain: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes as this watch calls them, in the network's order."""
        return tuple(self.class_map.get(name, name) for name in self.classes)

    @property
    def sha256(self) -> str:
        """The hash that names this model in an alert, the same whatever runtime carries it."""
        return next(self.files[role].sha256 for role in _NAMING if role in self.files)

    def file(self, role: Role) -> WeightsFile:
        """Return the file of a role.

        Raises
        ------
        WeightsError
            The model has no such file.
        """
        if role not in self.files:
            raise WeightsError(f"{self.name}: expected a file for {role!r}, has {[*self.files]}")
        return self.files[role]

    def check(self) -> None:
        """Check every file of the model; raises `WeightsError` at the first wrong one."""
        for file in self.files.values():
            file.read()


def read_manifest(folder: Path) -> dict[str, WeightsEntry]:
    """Return the models that the manifest of a folder names, by name.

    Raises
    ------
    WeightsError
        The manifest is missing, is not YAML or lacks what it must say.
    """
    path = folder / MANIFEST_NAME
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WeightsError(f"{path}: expected a manifest of models: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise WeightsError(f"{path}: expected `schema: {SCHEMA}` at the top")
    models = document.get("models") or {}
    return {name: _entry(name, body, path) for name, body in models.items()}


def _entry(name: str, body: Any, manifest: Path) -> WeightsEntry:
    """Return one model of a manifest, every field of its own type."""
    try:
        height, width = body["input_size"]
        entry = WeightsEntry(
            name=name,
            files={
                role: WeightsFile(path=manifest.parent / file["name"], sha256=str(file["sha256"]))
                for role, file in body["files"].items()
            },
            classes=tuple(str(one) for one in body["classes"]),
            input_size=(int(height), int(width)),
            channels=int(body.get("channels", 3)),
            resizable=bool(body.get("resizable", False)),
            head=body.get("head", "nms"),
            architecture=str(body.get("architecture", "")),
            trained_on=str(body.get("trained_on", "")),
            licence=str(body.get("licence", "")),
            scores=dict(body.get("scores") or {}),
            false_alerts_per_hour=_rates(body.get("false_alerts_per_hour") or ()),
            false_alert_hours=_hours(body.get("false_alert_hours", 0.0)),
            encoding=body.get("encoding", "layers"),
            class_map={str(a): str(b) for a, b in (body.get("class_map") or {}).items()},
            anchors=tuple(tuple(map(float, row)) for row in body.get("anchors") or ()),
            domain={str(key): _bands(rows) for key, rows in (body.get("domain") or {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{manifest}: model {name!r}: {type(error).__name__} {error}") from error
    _check_entry(entry, manifest)
    return entry


def _rates(rows: Any) -> tuple[tuple[float, float], ...]:
    """Return the measured table, thresholds ascending."""
    pairs = sorted((float(confidence), float(rate)) for confidence, rate in rows)
    if not all(0 <= confidence <= 1 and 0 <= rate < math.inf for confidence, rate in pairs):
        raise ValueError(f"false_alerts_per_hour: expected [0..1, 0 or more], received {pairs}")
    return tuple(pairs)


def _bands(rows: Any) -> tuple[tuple[float, float], ...]:
    bands = tuple((float(low), float(high)) for low, high in rows)
    if not bands or not all(low <= high for low, high in bands):
        raise ValueError(f"domain: expected [[lowest, highest], ...], received {rows}")
    return bands


def _hours(value: Any) -> float:
    if not 0 <= (hours := float(value)) < math.inf:
        raise ValueError(f"false_alert_hours: expected 0 or more, received {value}")
    return hours


def _check_entry(entry: WeightsEntry, manifest: Path) -> None:
    """Refuse a model that no runtime here could use."""
    where = f"{manifest}: model {entry.name!r}"
    if entry.head not in HEADS:
        raise WeightsError(f"{where}: head: expected one of {HEADS}, received {entry.head!r}")
    if entry.encoding not in SHOWN:
        raise WeightsError(f"{where}: encoding: expected one of {SHOWN}, got {entry.encoding!r}")
    if set(entry.class_map) - set(entry.classes):
        raise WeightsError(f"{where}: class_map: expected some of {entry.classes}")
    if any(len(row) != 6 for row in entry.anchors):
        raise WeightsError(f"{where}: anchors: expected six numbers a scale")
    if entry.channels not in (1, 3):
        raise WeightsError(f"{where}: channels: expected 1 or 3, received {entry.channels}")
    if not entry.files or set(entry.files) - set(ROLES):
        raise WeightsError(f"{where}: files: expected some of {ROLES}, received {[*entry.files]}")
    for file in entry.files.values():
        if file.path.parent != manifest.parent:
            raise WeightsError(f"{where}: expected a plain file name, received {file.path}")


def write_manifest(folder: Path, entries: Mapping[str, WeightsEntry]) -> None:
    """Write the manifest of a folder, atomically, models in the order of their names."""
    document = {
        "schema": SCHEMA,
        "models": {name: _body(entries[name]) for name in sorted(entries)},
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=99)
    temporary = folder / f".{MANIFEST_NAME}.tmp"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(folder / MANIFEST_NAME)


def _body(entry: WeightsEntry) -> dict[str, Any]:
    """Return one model as the manifest says it."""
    return {
        "architecture": entry.architecture,
        "classes": list(entry.classes),
        "input_size": list(entry.input_size),
        "channels": entry.channels,
        "resizable": entry.resizable,
        "head": entry.head,
        "trained_on": entry.trained_on,
        "licence": entry.licence,
        "scores": dict(entry.scores),
        **_rates_body(entry),
        **_foreign_body(entry),
        "files": {
            role: {"name": entry.files[role].path.name, "sha256": entry.files[role].sha256}
            for role in ROLES
            if role in entry.files
        },
    }


def _foreign_body(entry: WeightsEntry) -> dict[str, Any]:
    """Return what is said only of networks that are unlike ours."""
    said = {
        "encoding": "" if entry.encoding == "layers" else entry.encoding,
        "class_map": dict(entry.class_map),
        "anchors": [list(row) for row in entry.anchors],
        "domain": {key: [list(row) for row in rows] for key, rows in entry.domain.items()},
    }
    return {key: value for key, value in said.items() if value}


def _rates_body(entry: WeightsEntry) -> dict[str, Any]:
    rates = [list(pair) for pair in entry.false_alerts_per_hour]
    hours = {"false_alert_hours": entry.false_alert_hours} if entry.false_alert_hours else {}
    return {"false_alerts_per_hour": rates, **hours} if rates else {}


def model_folders(models_dir: Path | None = None) -> tuple[Path, ...]:
    """Return where weights are looked for, in order; only `models_dir` when it is given."""
    return (models_dir,) if models_dir is not None else tuple(_default_folders())


def _default_folders() -> Iterator[Path]:
    """Yield the environment's, the user's, the system's, then the package's own folder."""
    if os.environ.get(MODELS_VARIABLE):
        yield Path(os.environ[MODELS_VARIABLE])
    user = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    system = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for folder in (user, *system.split(":")):
        yield Path(folder) / "sonar_watch" / "models"
    package = Path(__file__).resolve().parents[1]
    yield package.parent / "models"  # a checkout
    yield Path(sys.prefix) / "share" / "sonar_watch" / "models"  # an installed wheel


def find_weights(name: str, models_dir: Path | None = None) -> WeightsEntry:
    """Return the first model of that name, looking in `model_folders(models_dir)`.

    Nothing is opened yet: each runtime checks the sha256 of the very bytes it loads.

    Raises
    ------
    NoWeightsError
        No manifest on the way names any model.
    UnknownWeightsError
        None names this one.
    WeightsError
        None does, and the folder that the environment names is away; or a manifest is broken.
    """
    folders = model_folders(models_dir)
    known: list[str] = []
    for folder in folders:
        if not (folder / MANIFEST_NAME).is_file():
            continue
        models = read_manifest(folder)
        if name in models:
            logger.debug("weights %s from %s", name, folder)
            return models[name]
        known += models
    # A folder that is away may be mounted when it is tried again; a wrong name stays wrong.
    named = models_dir is None and bool(os.environ.get(MODELS_VARIABLE))
    is_away = named and not (folders[0] / MANIFEST_NAME).is_file()
    missing = WeightsError if is_away else UnknownWeightsError
    raise (missing if known else NoWeightsError)(
        f"weights {name!r}: named by no {MANIFEST_NAME} in {', '.join(map(str, folders))}; "
        f"known there: {', '.join(known) or 'none'}"
    )

"""Keeps ultralytics and OpenVINO off the network and quiet: they are imported through here.

A ship has no network, or a metered one. ultralytics looks up names while it is imported, sends
analytics, fetches fonts and installs packages unless it is told not to; OpenVINO reports each
conversion of a model.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_SETTINGS = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "WANDB_MODE": "disabled",
}
_INTEGRATIONS = (
    "sync", "clearml", "comet", "dvc", "hub", "mlflow", "neptune", "raytune", "tensorboard", "wandb"
)


def cache_folder(name: str) -> Path:
    """Return a writable folder for what can be made again: systemd's, the user's or a new one."""
    service = os.environ.get("CACHE_DIRECTORY", "").split(":")[0]
    user = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    for base in (service, user):
        folder = Path(base) / "sonar_watch" / name
        if base and _is_writable(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix=f"sonar_watch-{name}-"))


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def import_ultralytics() -> None:
    """Import ultralytics so that it stays offline, installs nothing and says nothing."""
    os.environ.update(_SETTINGS)
    os.environ.setdefault("YOLO_CONFIG_DIR", str(cache_folder("ultralytics")))
    import ultralytics.data.utils as data_utils
    from ultralytics.utils import SETTINGS

    if any(SETTINGS.get(name) for name in _INTEGRATIONS):
        SETTINGS.update({name: False for name in _INTEGRATIONS if name in SETTINGS})
    data_utils.check_font = lambda font="": font  # it would fetch a font to draw plots with
    logging.getLogger("ultralytics").setLevel(logging.ERROR)


def import_openvino() -> Any:
    """Return the openvino module, with the stub it brings in place of its telemetry.

    Raises
    ------
    ImportError
        It is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # "not installed"
    return importlib.import_module("openvino")

"""What every alert says of its making: hashes of the code, the weights and the settings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import sonar_watch
from sonar_watch.pipeline.finder import PlumeFinder
from sonar_watch.records import Provenance
from sonar_watch.settings import Settings


def code_hash() -> str:
    """Return the sha256 of the package's own source: what decided, next to weights and config."""
    digest = hashlib.sha256(sonar_watch.__version__.encode())
    root = Path(sonar_watch.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def provenance_of(settings: Settings, detector: PlumeFinder) -> Provenance:
    """Return what every alert of this watch says of its making."""
    return Provenance(
        weights=detector.weights_sha256, config=settings.fingerprint, code=code_hash()
    )

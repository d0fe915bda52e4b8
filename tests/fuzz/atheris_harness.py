"""Coverage-guided fuzzing of one target with atheris, for a machine that has time and has it.

    pip install atheris
    export PYTHONPATH=.:tests:tests/fuzz
    python tests/fuzz/atheris_harness.py em-datagram CORPUS -runs=100000

CORPUS is a folder; the seeds are written into it first, and what is found stays there. The other
arguments are libFuzzer's. A crash is written to crash-<sha1> in the working folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sonar_watch"]):
    from fuzz_targets import TARGETS


def main(arguments: list[str]) -> None:
    """Fuzz the target that the first argument names, in the folder that the second names."""
    target = {each.name: each for each in TARGETS}[arguments[1]]
    folder = Path(arguments[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (folder / f"seed-{number}").write_bytes(seed)

    def one_input(data: bytes) -> None:
        if target.repair is not None and len(data) % 4:
            data = target.repair(data)
        try:
            target.run(data)
        except target.allowed:
            return

    limits = [f"-rss_limit_mb={600 + target.memory_mb}", f"-timeout={10 * target.cpu_s:.0f}"]
    atheris.Setup([arguments[0], str(folder), *limits, *arguments[3:]], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)

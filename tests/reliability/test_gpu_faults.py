"""The GPU runs out of memory, is lost, or never answers: the watch goes on, and says with what.

Where no GPU is at hand torch runs on the CPU, and its own error for memory that is short is
raised where the network would run. The tests marked `gpu` use up a real one's memory.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml
from disturbed import ClassicalDaemon
from watching import wait_for

from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.detection.detector import Detector, DetectorOptions, has_cuda, open_runtime
from sonar_watch.detection.fallback import FallbackRuntime
from sonar_watch.detection.stuck import EXIT_STUCK
from sonar_watch.detection.torch_runtime import BATCH, TorchRuntime
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import DeviceLostError, DeviceMemoryError, InferenceError
from sonar_watch.pipeline.finder import NetworkFinder, open_finder
from sonar_watch.pipeline.losses import LOSS_KEY, Losses
from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.writing import sail

OPTIONS = DetectorOptions(confidence=0.3, threads=1)


def fans(count: int) -> list[np.ndarray]:
    """Return small speckled fans with a bright column in each."""
    rng = np.random.default_rng(3)
    images = []
    for number in range(count):
        image = np.clip(rng.normal(70, 20, (100, 256)), 1, 255)
        image[40:90, 60 + 5 * number : 70 + 5 * number] += 90
        images.append(np.clip(image, 1, 255).astype(np.uint8))
    return images


def short_of_memory(most: int) -> Callable[[WeightsEntry, DetectorOptions], Any]:
    """Return an opener whose GPU, torch on this CPU, holds up to `most` images at once."""

    def open_with(entry: WeightsEntry, options: DetectorOptions) -> Any:
        if options.device == "cpu":
            return open_runtime(entry, options)
        runtime = TorchRuntime(entry, "cpu", 1, batch=4)
        run, error = runtime._network, runtime._torch.OutOfMemoryError

        def tight(images: Any) -> Any:
            if len(images) > most:
                raise error(f"out of memory: tried to hold {len(images)} images")
            return run(images)

        runtime._network = tight
        return runtime

    return open_with


@pytest.fixture(scope="module")
def on_the_cpu() -> Iterator[Detector]:
    detector = Detector(DetectorOptions(device="cpu", confidence=0.3, threads=1))
    yield detector
    detector.close()


@pytest.mark.parametrize(("most", "batch"), [(2, 2), (1, 1), (0, None)])
def test_short_of_memory_batches_shrink_and_then_the_cpu_runs_it(
    on_the_cpu: Detector, caplog: pytest.LogCaptureFixture, most: int, batch: int | None
) -> None:
    runtime: FallbackRuntime | None = None

    def open_with(entry: WeightsEntry, options: DetectorOptions) -> FallbackRuntime:
        nonlocal runtime
        runtime = FallbackRuntime(entry, options, open_with=short_of_memory(most))
        return runtime

    detector = Detector(OPTIONS, open_with=open_with)
    finder = NetworkFinder(detector, "plume-n")
    images = fans(5)
    found = detector.detect(images)
    for one, other in zip(found, on_the_cpu.detect(images), strict=True):
        assert len(one) == len(other)
        assert np.allclose(one.xyxy, other.xyxy, atol=2.0)
    assert finder.notice is not None
    assert finder.notice in caplog.text
    if batch is None:
        assert "no memory for one image" in finder.notice
        assert "openvino" in finder.notice
        assert finder.runtime == on_the_cpu.runtime
    else:
        assert f"batches of {batch}" in finder.notice
        assert "torch" in finder.runtime
    # It stays so: nothing is tried again with each batch.
    notice = finder.notice
    caplog.clear()
    detector.detect(images)
    assert (finder.notice, caplog.text) == (notice, "")
    finder.close()


def test_torch_says_what_its_errors_mean() -> None:
    entry = Detector(DetectorOptions(device="cpu")).entry
    runtime = TorchRuntime(entry, "cpu", 1, batch=1)
    runtime._device = "cuda:0"
    memory = runtime._torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    for error, kind in [
        (memory, DeviceMemoryError),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), DeviceMemoryError),
        (RuntimeError("CUDA error: out of memory"), DeviceMemoryError),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), DeviceLostError),
        (RuntimeError("CUDA error: device-side assert triggered"), DeviceLostError),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), DeviceLostError),
        (RuntimeError("CUDA driver error: unknown error"), DeviceLostError),
        (RuntimeError("sizes of tensors must match"), InferenceError),
    ]:
        assert type(runtime._explained(error)) is kind, error
    runtime._device = "cpu"
    runtime.close()


@pytest.mark.skipif(has_cuda(), reason="there is a GPU here")
def test_a_gpu_that_is_asked_for_and_not_there_is_done_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    finder = open_finder(DetectorOptions(device="cuda:0", threads=1))
    assert "openvino" in finder.runtime
    assert finder.notice is not None
    assert "the GPU cannot be used" in finder.notice
    assert finder.notice in caplog.text
    finder.close()
    with pytest.raises(InferenceError, match="no CUDA device here"):
        Detector(DetectorOptions(device="cuda:0"))  # who measures wants what was asked for


def test_who_is_lost_again_and_again_is_left_out_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite", tense="live") as journal:
        losses = Losses(journal)
        assert losses.choose(OPTIONS) == (OPTIONS, None)
        losses.note("CUDA error: unknown")
        assert losses.choose(OPTIONS) == (OPTIONS, None)
        frame = FrameEntry(frame_id="f", time_utc=datetime(2026, 1, 1, tzinfo=UTC), body={})
        journal.commit([frame], [])
        losses.note("CUDA error: unknown")
        assert losses.choose(OPTIONS) == (OPTIONS, None)  # it did work in between
        losses.note("CUDA error: unknown")
        chosen, notice = losses.choose(OPTIONS)
        assert chosen.device == "cpu"
        assert notice is not None
        assert "lost 2 times in a row (CUDA error: unknown)" in notice
        assert losses.choose(OPTIONS) == (OPTIONS, None)
        assert journal.checkpoint(LOSS_KEY) is None


FAILING = """
import sys, threading
from functools import partial
from sonar_watch import cli
from sonar_watch.detection.detector import open_runtime
from sonar_watch.errors import DeviceLostError
from sonar_watch.pipeline import finder

class Failing:
    batch = 1
    def __init__(self, runtime, how):
        self.runtime, self.how, self.name, self.done = runtime, how, "failing cuda:0", 0
    def infer(self, inputs):
        self.done += 1
        if self.how == "lost":
            raise DeviceLostError("CUDA error: unspecified launch failure")
        if self.done > 3:
            threading.Event().wait()
        return self.runtime.infer(inputs)
    def close(self):
        self.runtime.close()

def open_with(entry, options):
    on_cpu = options.device == "cpu"
    runtime = open_runtime(entry, options)
    return runtime if on_cpu or sys.argv[1] == "well" else Failing(runtime, sys.argv[1])

finder.FallbackRuntime = partial(finder.FallbackRuntime, open_with=open_with)
sys.exit(cli.main(sys.argv[2:]))
"""


class FailingDaemon(ClassicalDaemon):
    """A daemon whose network runs on a device that fails."""

    detector: ClassVar = {"weights": "plume-n", "threads": 1}
    silent_limit_s = 1.0

    def limit(self, stuck_after_s: float) -> None:
        """Have the next start end what takes longer than that."""
        settings = self._settings()
        settings["detector"] = {**self.detector, "stuck_after_s": stuck_after_s}
        self.config.write_text(yaml.safe_dump(settings))

    def start_failing(self, how: str) -> None:
        command = [sys.executable, "-c", FAILING, how, "run", "--config", str(self.config)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[FailingDaemon]:
    daemon = FailingDaemon(tmp_path)
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()


def sail_a_little(daemon: FailingDaemon) -> int:
    from dataclasses import replace

    survey = demo_survey()
    line = replace(survey.lines[0], north_m=-600.0, length_m=35.0)
    where = daemon.folder / "in"
    return sum(1 for _ in sail(replace(survey, lines=(line,)), where, kinds=("raw",)))


@pytest.mark.timeout(300)
def test_an_inference_that_hangs_ends_the_process_and_nothing_is_lost(
    failing: FailingDaemon,
) -> None:
    swaths = sail_a_little(failing)
    failing.limit(5.0)
    failing.start_failing("stuck")
    assert failing.wait(120) == EXIT_STUCK
    last = failing.log().splitlines()[-1]
    assert "CRITICAL" in last
    assert "on failing cuda:0 has not returned for 5 s; the process ends itself" in last
    before = failing.frames()
    failing.limit(100.0)
    failing.start_failing("well")
    wait_for(lambda: failing.frames() == swaths, f"{swaths} frames")
    assert failing.stop() == 0
    assert before < swaths
    assert failing.frames() == swaths


@pytest.mark.timeout(300)
def test_a_lost_gpu_ends_the_process_and_in_the_end_the_cpu_does_it(
    failing: FailingDaemon,
) -> None:
    swaths = sail_a_little(failing)
    for _ in range(2):
        failing.start_failing("lost")
        assert failing.wait(120) == 1
        assert "unspecified launch failure" in failing.log().splitlines()[-1]
    assert failing.frames() == 0
    failing.start_failing("lost")
    wait_for(lambda: failing.frames() == swaths, f"{swaths} frames")
    watch = failing.status()["watch"]
    assert "lost 2 times in a row" in watch["notice"]
    assert "openvino" in watch["runtime"]
    assert failing.stop() == 0


@pytest.mark.gpu
def test_real_memory_that_is_full_is_got_over() -> None:
    import torch

    finder = open_finder(DetectorOptions(device="cuda:0", confidence=0.3))
    assert isinstance(finder, NetworkFinder)
    assert finder.notice is None
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    hoard = [torch.empty(free - 64 * 2**20, dtype=torch.uint8, device="cuda:0")]
    while True:  # what is left, in small pieces
        try:
            hoard.append(torch.empty(2**20, dtype=torch.uint8, device="cuda:0"))
        except torch.OutOfMemoryError:
            break
    images = [np.repeat(np.repeat(image, 6, 0), 6, 1) for image in fans(BATCH + 1)]
    found = finder._detector.detect(images)
    assert len(found) == len(images)
    assert finder.notice is not None
    assert "memory" in finder.notice
    hoard.clear()
    finder.close()


POISON = """
import numpy as np, torch
from sonar_watch.detection.detector import Detector, DetectorOptions
from sonar_watch.errors import DeviceLostError
from sonar_watch.detection.fallback import FallbackRuntime

detector = Detector(DetectorOptions(device="cuda:0"), open_with=FallbackRuntime)
try:  # an index out of bounds, asserted in a kernel: no call to CUDA succeeds any more
    torch.zeros(4, device="cuda:0")[torch.full((9,), 99, device="cuda:0")].sum().item()
except RuntimeError:
    pass
try:
    detector.detect([np.zeros((100, 256), np.uint8)])
except DeviceLostError as error:
    print("lost", flush=True)
detector.close()
print("closed", flush=True)
"""


@pytest.mark.gpu
def test_a_poisoned_context_is_a_lost_device() -> None:
    done = subprocess.run([sys.executable, "-c", POISON], stdout=subprocess.PIPE, text=True,
                          timeout=100, check=False)  # fmt: skip
    assert done.stdout.splitlines()[-2:] == ["lost", "closed"]

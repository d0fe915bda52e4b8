"""On a CUDA device: the shipped weights find there what they find on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from sonar_watch.detection.detector import DetectorOptions, open_detector

pytestmark = pytest.mark.gpu


def fans(count: int) -> list[np.ndarray]:
    """Return speckled fans with a bright column in each."""
    rng = np.random.default_rng(3)
    images = []
    for number in range(count):
        image = np.clip(rng.normal(70, 20, (300, 1024)), 1, 255)
        image[120:270, 300 + 20 * number : 330 + 20 * number] += 90
        images.append(np.clip(image, 1, 255).astype(np.uint8))
    return images


def test_cuda_agrees_with_the_cpu() -> None:
    images = fans(11)
    cpu = open_detector(DetectorOptions(device="cpu", confidence=0.3))
    gpu = open_detector(DetectorOptions(device="cuda:0", confidence=0.3))
    assert "cuda" in gpu.runtime.lower()
    for one, other in zip(cpu.detect(images), gpu.detect(images), strict=True):
        assert len(one) == len(other)
        assert np.allclose(one.xyxy, other.xyxy, atol=2.0)
        assert np.allclose(one.confidence, other.confidence, atol=0.02)
    cpu.close()
    gpu.close()

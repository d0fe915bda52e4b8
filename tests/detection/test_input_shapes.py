"""A ship sees deep and shallow water, and pictures of many sizes: memory does not add up."""

from __future__ import annotations

import numpy as np

from sonar_watch.detection.openvino_runtime import KEPT_SHAPES, OpenVinoRuntime


def test_only_the_last_shapes_stay_compiled(build_model) -> None:
    runtime = OpenVinoRuntime(build_model(size=640, resizable=True), threads=1)
    images = [np.full((64 * height, 640, 3), 9 * height, np.uint8) for height in range(1, 11)]
    first = [runtime.infer([image])[0] for image in images]
    assert len(runtime._requests) == KEPT_SHAPES
    again = runtime.infer(images)  # in one batch, too
    assert len(runtime._requests) == KEPT_SHAPES
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one, other)
    runtime.close()

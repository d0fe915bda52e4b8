"""A tiny ONNX network, written byte by byte (protobuf): no onnx package is needed to run one.

It looks at cells of 8 x 8 pixels: each gives a box of its size whose objectness is the cell's
mean brightness, in the table of a YOLOv5 export: cx cy w h objectness classes.
"""

from __future__ import annotations

import numpy as np

CELL = 8
_FLOAT, _INT64 = 1, 7
_INT, _INTS = 2, 7


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _tensor(name: str, array: np.ndarray) -> bytes:
    kind = _FLOAT if array.dtype == np.float32 else _INT64
    dims = b"".join(_number(1, size) for size in array.shape)
    return dims + _number(2, kind) + _bytes(8, name) + _bytes(9, array.tobytes())


def _attribute(name: str, value: int | list[int]) -> bytes:
    if isinstance(value, int):
        return _bytes(1, name) + _number(3, value) + _number(20, _INT)
    numbers = b"".join(_number(8, one) for one in value)
    return _bytes(1, name) + numbers + _number(20, _INTS)


def _node(kind: str, inputs: list[str], output: str, **attributes: int | list[int]) -> bytes:
    parts = [_bytes(1, one) for one in inputs] + [_bytes(2, output), _bytes(4, kind)]
    return b"".join(parts + [_bytes(5, _attribute(*pair)) for pair in attributes.items()])


def _value(name: str, *shape: int) -> bytes:
    dims = b"".join(_bytes(1, _number(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, _FLOAT) + _bytes(2, dims)))


def yolov5_onnx(side_px: int = 64, classes: tuple[float, ...] = (0.9,)) -> bytes:
    """Return the file of the network; `classes` are the scores that each box gives its classes."""
    cells = side_px // CELL
    count = cells * cells
    y, x = np.indices((cells, cells)).reshape(2, -1) * CELL + CELL / 2
    boxes = np.stack([x, y, np.full(count, CELL), np.full(count, CELL)], axis=-1)
    scores = np.tile(np.array(classes, np.float32), (count, 1))
    nodes = [
        _node("AveragePool", ["images"], "pooled", kernel_shape=[CELL, CELL],
              strides=[CELL, CELL]),
        _node("ReduceMean", ["pooled"], "mean", axes=[1], keepdims=1),
        _node("Reshape", ["mean", "shape"], "objectness"),
        _node("Concat", ["boxes", "objectness", "scores"], "output0", axis=2),
    ]
    weights = [
        _tensor("shape", np.array([1, count, 1], np.int64)),
        _tensor("boxes", boxes[None].astype(np.float32)),
        _tensor("scores", scores[None]),
    ]
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, "tiny")
    graph += b"".join(_bytes(5, one) for one in weights)
    graph += _bytes(11, _value("images", 1, 3, side_px, side_px))
    graph += _bytes(12, _value("output0", 1, count, 5 + len(classes)))
    opset = _bytes(1, "") + _number(2, 12)
    return _number(1, 7) + _bytes(2, "test") + _bytes(7, graph) + _bytes(8, opset)

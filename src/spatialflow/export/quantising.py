"""8-bit integers for an exported ONNX file, by ONNX Runtime's quantiser."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.export.description import Description
from spatialflow.export.exchange import Arrays, graph_inputs
from spatialflow.export.writing import require
from spatialflow.files import atomic_path

SENSITIVE = ("cls_predictor", "box_predictor", "stuff_head.logits", "mask_head.logits")
"""Layers that stay in float32: the last of each head, whose outputs are compared with thresholds or become
coordinates."""


def quantise(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    description: Description,
    photos: Iterable[NDArray[np.uint8]],
    *,
    keep: tuple[str, ...] = SENSITIVE,
    progress: Callable[[int], object] = lambda done: None,
) -> Description:
    """Turn a file's convolutions into 8-bit integers (static: ranges are those met on photos), atomically.

    Args:
        path: a file of :func:`spatialflow.export.writing.export_onnx`.
        out: where the quantised one goes; may be ``path``.
        description: of the file.
        photos: (H, W, 3) each, of the kind that the model will see; some dozens are enough.
        keep: names of layers, or of parts of the network, that stay as they are.
        progress: called with the number of photos so far.

    Returns:
        The new file's description.

    Raises:
        ConfigError: a package is missing.
        DataError: a photo does not suit the graph.
    """
    require("onnx", "onnxruntime")
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._inputs = _inputs(photos, description, str(out), progress)

        def get_next(self) -> Arrays | None:
            return next(self._inputs, None)

    model = onnx.load(path)
    excluded = [node.name for node in model.graph.node if _is_kept(node, keep)]
    description = replace(description, quantised=True)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantiser advises on the root logger
    try:
        with atomic_path(out) as temporary:
            quantization.quantize_static(
                model,
                temporary,
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=excluded,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
            quantised = onnx.load(temporary)
            onnx.helper.set_model_props(quantised, description.to_metadata())
            onnx.save(quantised, temporary)
    finally:
        root.setLevel(level)
    return description


def _is_kept(node: Any, keep: tuple[str, ...]) -> bool:
    """Whether the convolution's weights belong to one of the named layers."""
    return node.op_type == "Conv" and any(name in node.input[1] for name in keep)


def _inputs(
    photos: Iterable[NDArray[np.uint8]],
    description: Description,
    source: str,
    progress: Callable[[int], object],
) -> Iterator[Arrays]:
    for done, photo in enumerate(photos, start=1):
        yield graph_inputs(photo, description, source)
        progress(done)

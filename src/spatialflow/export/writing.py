"""Models into files: ONNX, and PyTorch's own torch.export."""

import copy
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as shape_settings
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from spatialflow.data.transforms import padded_size, resized_size
from spatialflow.errors import ConfigError
from spatialflow.export.description import Description
from spatialflow.export.graph import DIVISOR, ExportGraph
from spatialflow.files import atomic_path, write_bytes
from spatialflow.models.fusion import fuse_batch_norm
from spatialflow.models.spatialflow import SpatialFlow

SUFFIXES = {"onnx": ".onnx", "torch-export": ".pt2"}
"""Of the files of each format."""
EXTRA_FILE = "spatialflow.json"
"""Name of the description inside a ``.pt2`` file."""
OPSET = 20
"""Of ONNX: what DeformConv (19) and ONNX Runtime of the last years need."""
_EXAMPLE = (480, 640)
"""Height and width of the photo that is traced where any will do."""


def export_onnx(
    model: SpatialFlow,
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    uint8: bool = False,
    merged: bool = False,
) -> Description:
    """Write a model as ONNX, atomically, with all that it takes to serve it inside.

    Args:
        model: it stays as it is.
        path: should end in ``.onnx``.
        size: (H, W) of the images; by default any. With ``uint8`` that of the photos, else that of the
            network's input, multiples of 32.
        uint8: the graph takes photos (H, W, 3) as they are and resizes and normalises them itself.
        merged: the graph also gives the panoptic map.

    Raises:
        ConfigError: a package is missing, the size does not suit, or the architecture cannot be exported.
        OutputError: the file cannot be written.
    """
    require("onnx", "onnxscript")
    description = Description(model.config, model.categories, uint8, merged, size)
    program = trace(model, description)
    with _quiet(model), torch.no_grad():
        onnx = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(description.input_names),
            output_names=list(_output_names(program)),
            verbose=False,
        )
    assert onnx is not None, "dynamo=True gives a program"
    _strip(onnx.model)
    onnx.model.metadata_props.update(description.to_metadata())
    with atomic_path(path) as temporary:
        onnx.save(temporary)
    return description


def export_program(
    model: SpatialFlow,
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    uint8: bool = False,
    merged: bool = False,
) -> Description:
    """Write a model by ``torch.export``, atomically; see :func:`export_onnx`.

    ``torch.export.load`` reads it without spatialflow, once torchvision is imported. The description is its
    extra file ``spatialflow.json``.
    """
    description = Description(model.config, model.categories, uint8, merged, size)
    program = trace(model, description)
    encoded = io.BytesIO()  # PyTorch, writing to a file, does not tell a full disk as the system does
    with _quiet(model):
        extra = {EXTRA_FILE: json.dumps(description.to_metadata())}
        torch.export.save(program, encoded, extra_files=extra)
    write_bytes(path, encoded.getvalue())
    return description


def trace(model: SpatialFlow, description: Description) -> ExportedProgram:
    """The graph as PyTorch's exporter sees it, in float32 on the CPU.

    Raises:
        ConfigError: the size does not suit, or the architecture cannot be exported.
    """
    size = description.size
    if size and not description.uint8 and (size[0] % DIVISOR or size[1] % DIVISOR or min(size) < 1):
        better = padded_size([size], DIVISOR)
        raise ConfigError(
            f"--size {size[0]} {size[1]}: the network's input has sides that are multiples of {DIVISOR}; "
            f"take --size {better[0]} {better[1]}, or --uint8 for photos as they are"
        )
    placed = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    graph = ExportGraph(fuse_batch_norm(placed), uint8=description.uint8, merged=description.merged).eval()
    arguments = _example(description)
    # else sides that are 1 at the coarsest level of the example, or are not, would be so for good
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]  # made at import
    with _quiet(model), torch.no_grad(), oblivious:
        return torch.export.export(graph, arguments, dynamic_shapes=_dynamic(description))


def _example(description: Description) -> tuple[Tensor, ...]:
    """An image to trace with; only its size matters."""
    if description.uint8:
        return (torch.zeros((*(description.size or _EXAMPLE), 3), dtype=torch.uint8),)
    sides = resized_size(_EXAMPLE, description.config.data.test_scale)
    padded = description.size or padded_size([sides], DIVISOR)
    return torch.zeros(1, 3, *padded), torch.tensor(padded), torch.tensor(_EXAMPLE)


def _dynamic(description: Description) -> dict[str, Any] | None:
    """Which sides are free, as ``torch.export`` wants it said."""
    if description.size:
        return None
    if description.uint8:
        return {"image": {0: Dim("height"), 1: Dim("width")}}
    rows, columns = Dim("rows"), Dim("columns")
    image = {2: DIVISOR * rows, 3: DIVISOR * columns}
    return {"image": image, "image_size": None, "photo_size": None}


def _output_names(program: ExportedProgram) -> Iterator[str]:
    specification = program.call_spec.out_spec
    assert specification is not None, "an exported program knows its outputs"
    return iter(specification.context)


def _strip(model: Any) -> None:
    """Take out what the exporter notes of our source lines: it doubles the file, and nobody needs it."""
    model.doc_string = None
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        for node in graph.all_nodes():
            node.metadata_props.clear()
            node.doc_string = None


@contextmanager
def _quiet(model: SpatialFlow) -> Iterator[None]:
    """Without the exporter's remarks on itself; what it refuses is told in a line.

    Raises:
        ConfigError: the architecture cannot be exported.
    """
    loggers = [logging.getLogger(name) for name in ("torch", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (
        torch.onnx.OnnxExporterError,
        torch._dynamo.exc.TorchDynamoException,
        GuardOnDataDependentSymNode,
    ) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise ConfigError(
            f"model.backbone={model.config.model.backbone}: PyTorch cannot export it ({reason}); "
            f"give a --size, or choose another backbone"
        ) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def require(*packages: str) -> None:
    """Find out whether packages of the extra ``export`` are here.

    Raises:
        ConfigError: one is not.
    """
    for name in packages:
        if find_spec(name) is None:
            raise ConfigError(f"the package {name} is not installed; run `pip install 'spatialflow[export]'`")


def default_path(checkpoint: str, format_name: str) -> Path:
    """The checkpoint's name, or its folder's, in the working directory, with the format's suffix."""
    source = Path(checkpoint).resolve()  # "." has no name
    return Path((source.name if source.is_dir() else source.stem) + SUFFIXES[format_name])

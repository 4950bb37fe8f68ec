"""Panoptic results as other libraries have them: supervision, Hugging Face transformers."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch import Tensor

from spatialflow.errors import SpatialFlowError
from spatialflow.structures.segment import Segment

if TYPE_CHECKING:
    import supervision

LabelKind = Literal["label", "category_id"]
"""How a class is told: by its contiguous label (things first), or by the data set's category id."""


def class_number(segment: Segment, kind: LabelKind) -> int:
    """The number of a segment's class."""
    return segment.label if kind == "label" else segment.category.id


def huggingface_dictionary(ids: Tensor, segments: Sequence[Segment], classes: LabelKind) -> dict[str, Any]:
    """The dictionary of transformers' ``post_process_panoptic_segmentation``; see the method."""
    return {
        "segmentation": ids,
        "segments_info": [
            {
                "id": segment.id,
                "label_id": class_number(segment, classes),
                "was_fused": not segment.is_thing or segment.is_crowd,
                "score": round(segment.score, 6),
            }
            for segment in segments
        ],
    }


def supervision_detections(
    masks: Tensor, segments: Sequence[Segment], classes: LabelKind
) -> "supervision.Detections":
    """``supervision.Detections`` of N segments; see the method.

    Args:
        masks: (N, H, W) bool.
        segments: N.
        classes: what ``class_id`` is.
    """
    try:
        library = importlib.import_module("supervision")
    except ImportError as error:
        raise SpatialFlowError(
            "supervision: the package is not installed; install it with: pip install supervision"
        ) from error
    return library.Detections(
        xyxy=np.array([segment.box for segment in segments], np.float32).reshape(-1, 4),
        mask=masks.numpy(force=True),
        confidence=np.array([segment.score for segment in segments], np.float32),
        class_id=np.array([class_number(segment, classes) for segment in segments], np.int64),
        data={
            "class_name": np.array([segment.category.name for segment in segments], np.str_),
            "segment_id": np.array([segment.id for segment in segments], np.int64),
        },
    )

"""Pictures of predictions, of a size that can be looked at."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from spatialflow.data.transforms import resize_id_map
from spatialflow.postprocess.panoptic import segment_geometry
from spatialflow.structures import PanopticPrediction

MOST_PIXELS = 1 << 25
"""Of a picture, about 6700 x 5000: of larger photos it is reduced."""


def picture_of(prediction: PanopticPrediction, photo: NDArray[np.uint8]) -> Image.Image:
    """The prediction drawn over its photo, (H, W, 3) uint8 RGB; reduced if there are too many pixels."""
    height, width = photo.shape[:2]
    factor = (MOST_PIXELS / (height * width)) ** 0.5
    if factor >= 1:
        return prediction.plot(photo)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    small = np.asarray(cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    return _resized(prediction, size).plot(small)


def _resized(prediction: PanopticPrediction, size: tuple[int, int]) -> PanopticPrediction:
    """The same at another size, without segments that have no pixel there."""
    ids = resize_id_map(prediction.segment_ids.cpu().numpy(), size)
    areas, boxes = segment_geometry(ids, max((s.id for s in prediction.segments), default=0))
    segments = tuple(
        replace(
            segment,
            area=int(areas[segment.id - 1]),
            box=tuple(int(side) for side in boxes[segment.id - 1]),  # type: ignore[arg-type]
        )
        for segment in prediction.segments
        if areas[segment.id - 1]
    )
    return PanopticPrediction(torch.from_numpy(np.ascontiguousarray(ids)), segments)

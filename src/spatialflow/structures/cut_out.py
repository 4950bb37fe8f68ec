"""One segment cut out of its photo."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.errors import DataError
from spatialflow.photo import as_photo
from spatialflow.structures.segment import Segment


def cut_out(
    image: Any, ids: NDArray[np.int32], segment: Segment, padding: int, transparent: bool
) -> Image.Image:
    """The part of a photo around a segment; see ``PanopticPrediction.crop``."""
    photo = as_photo(image)
    if photo.shape[:2] != ids.shape:
        raise DataError(
            f"image: is {photo.shape[1]}x{photo.shape[0]} pixels and the prediction "
            f"{ids.shape[1]}x{ids.shape[0]}; give the photo that was segmented, at its original size"
        )
    if padding < 0:
        raise DataError(f"padding: 0 or more pixels are expected, got {padding}")
    x1, y1, x2, y2 = segment.box
    rows = slice(max(y1 - padding, 0), y2 + padding)
    columns = slice(max(x1 - padding, 0), x2 + padding)
    part = photo[rows, columns]
    if not transparent:
        return Image.fromarray(np.ascontiguousarray(part))
    mask = ids[rows, columns] == segment.id
    return Image.fromarray(np.dstack([part * mask[..., None], mask.astype(np.uint8) * 255]))

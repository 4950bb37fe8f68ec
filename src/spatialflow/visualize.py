"""Pictures of panoptic results."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from spatialflow.structures import Segment


def draw_overlay(
    image: Any, segment_ids: NDArray[np.integer], segments: "Sequence[Segment]"
) -> Image.Image:
    """Placeholder until the drawing lands."""
    raise NotImplementedError

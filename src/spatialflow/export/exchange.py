"""What goes into an exported graph for a photo, and what its outputs mean; without any runtime."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.transforms import normalise_and_pad, resize_image, resized_size
from spatialflow.errors import DataError
from spatialflow.export.description import Description
from spatialflow.postprocess.panoptic import Found, Instances, as_prediction, merge
from spatialflow.structures import PanopticPrediction

Arrays = dict[str, NDArray[Any]]
"""Inputs or outputs of a graph, by name."""


def graph_inputs(photo: NDArray[np.uint8], description: Description, source: str) -> Arrays:
    """What the graph takes for a photo (H, W, 3), by name; ``source`` is the file that errors name.

    Raises:
        DataError: the photo is of another size than the one that the graph is for.
    """
    size = (photo.shape[0], photo.shape[1])
    if description.uint8:
        if description.size not in (None, size):
            raise DataError(
                f"image: is {size[0]}x{size[1]} (height x width), but {source} takes only "
                f"{description.size[0]}x{description.size[1]}; resize it, or export with --dynamic"
            )
        return {"image": np.ascontiguousarray(photo)}
    data = description.config.data
    inner = resized_size(size, data.test_scale)
    if description.size and (inner[0] > description.size[0] or inner[1] > description.size[1]):
        raise DataError(
            f"image: {size[0]}x{size[1]} becomes {inner[0]}x{inner[1]} (height x width), more than the "
            f"{description.size[0]}x{description.size[1]} of {source}; export with --dynamic"
        )
    batch, _ = normalise_and_pad([resize_image(photo, inner)], data.mean, data.std)
    height, width = description.size or batch.shape[2:]
    image = np.zeros((1, 3, height, width), np.float32)
    image[:, :, : batch.shape[2], : batch.shape[3]] = batch.numpy()
    return {"image": image, "image_size": np.array(inner), "photo_size": np.array(size)}


def found_in(outputs: Arrays) -> Found:
    """Detections, masks and stuff map among a graph's outputs."""
    count = int(outputs["num_detections"])
    boxes, scores, labels, masks = (outputs[name][:count] for name in ("boxes", "scores", "labels", "masks"))
    return Found(Instances(boxes, scores, labels, masks), outputs["stuff"], outputs["stuff_scores"])


def prediction_in(outputs: Arrays, description: Description) -> PanopticPrediction:
    """The panoptic map among a graph's outputs, or, if it has none, what the merge makes of the others."""
    if not description.merged:
        return merge(*found_in(outputs), description.categories, description.config.model.merge)
    labels = outputs["segment_labels"]
    count = int((labels >= 0).sum())
    scores = outputs["segment_scores"][:count].tolist()
    return as_prediction(outputs["panoptic"], labels[:count].tolist(), scores, description.categories)

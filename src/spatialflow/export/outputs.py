"""What an exported graph gives."""

from typing import NamedTuple

from torch import Tensor


class FoundOutputs(NamedTuple):
    """Detections, masks and stuff map of one image; N is ``max_detections``. Lists are padded to N."""

    boxes: Tensor
    """(N, 4) float32 xyxy, pixels of the photo."""
    scores: Tensor
    """(N,) float32, descending; 0 after the first ``num_detections``."""
    labels: Tensor
    """(N,) int64."""
    num_detections: Tensor
    """() int64."""
    masks: Tensor
    """(N, 28, 28) float32 probabilities over the box."""
    stuff: Tensor
    """(H, W) uint8, channel of the stuff head of each pixel of the photo."""
    stuff_scores: Tensor
    """(S+1,) float32."""


class PanopticMap(NamedTuple):
    """The panoptic map and its segments."""

    panoptic: Tensor
    """(H, W) int32 segment ids 1, 2, ...; 0 is void."""
    segment_labels: Tensor
    """(M,) int64; entry i is of segment i + 1, -1 after the last."""
    segment_scores: Tensor
    """(M,) float32, 0 after the last."""

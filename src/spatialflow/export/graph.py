"""The whole way from an image to the panoptic map as one module of fixed outputs, which can be exported.

It computes what :mod:`spatialflow.postprocess` computes, in the same order and number formats, but without
a branch that depends on the image: lists are padded to their longest, sizes are tensors, and the merge is a
loop of the graph.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spatialflow.data.transforms import padded_size, resized_size
from spatialflow.export.detection import FixedDetections, detect
from spatialflow.export.masks import box_masks
from spatialflow.export.outputs import FoundOutputs
from spatialflow.export.panoptic import merge_in_graph
from spatialflow.export.resize import resize_in_graph, resized_size_in_graph
from spatialflow.export.stuff import stuff_map_in_graph
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.postprocess.pipeline import stuff_scores
from spatialflow.structures import DenseOutputs

DIVISOR = 32
"""The network's sides are multiples of it."""


class ExportGraph(nn.Module):
    """An image in, detections, masks, stuff map and panoptic map out; one image at a time.

    Args:
        model: in evaluation mode; it is used, not copied.
        uint8: take the photo's own pixels, and resize and normalise them, rather than the network's input.
        merged: also give the panoptic map.
    """

    def __init__(self, model: SpatialFlow, *, uint8: bool, merged: bool) -> None:
        super().__init__()
        self.model = model
        self.uint8 = uint8
        self.merged = merged
        data = model.config.data
        self.mean = torch.tensor(data.mean)
        self.std = torch.tensor(data.std)

    def forward(
        self, image: Tensor, image_size: Tensor | None = None, photo_size: Tensor | None = None
    ) -> dict[str, Tensor]:
        """See the class.

        Args:
            image: with ``uint8`` the photo, (H, W, 3) uint8 RGB; else (1, 3, H, W) float32, resized,
                normalised and padded to multiples of 32.
            image_size: without ``uint8``: (2,) int64 height and width of ``image`` without its padding.
            photo_size: without ``uint8``: (2,) int64 height and width of the photo, in whose pixels the
                outputs are.

        Returns:
            :class:`FoundOutputs`, and with ``merged`` :class:`PanopticMap` too, as one dictionary, which
            needs no class of ours to be read again.
        """
        if self.uint8:
            photo_size = _size_tensor(image.shape[:2])
            image, image_size = self._prepare(image)
        assert image_size is not None, "a normalised image needs its size without padding"
        assert photo_size is not None, "a normalised image needs its photo's size"
        outputs = self.model(image)
        scale = (image_size.double() / photo_size.double()).float().flip(0).repeat(2)
        detections = detect(outputs, image_size, scale, self.model.config.model)
        masks = box_masks(self.model, outputs.mask_features, detections.boxes * scale, detections.labels)
        return self._finish(outputs, detections, masks, image_size, photo_size)

    def _prepare(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """(H, W, 3) uint8 -> (1, 3, h, w) float32 as the network wants it, and its size without padding."""
        scale = self.model.config.data.test_scale
        height, width, _ = photo.shape
        if type(height) is int and type(width) is int:  # so that a graph of one size has no unknowns
            sides = resized_size((height, width), scale)
            size, padded = torch.tensor(sides), padded_size([sides], DIVISOR)
        else:
            size = resized_size_in_graph(_size_tensor((height, width)), scale)
            cells = ((size + DIVISOR - 1) // DIVISOR).tolist()
            for number in cells:
                torch._check(number >= 1)  # which the exporter cannot know
            padded = cells[0] * DIVISOR, cells[1] * DIVISOR
        rows, columns = torch.arange(padded[0]), torch.arange(padded[1])
        pixels = (resize_in_graph(photo, size, rows, columns).float() - self.mean) / self.std
        inside = (rows < size[0])[:, None] & (columns < size[1])
        return torch.where(inside[:, :, None], pixels, 0.0).permute(2, 0, 1)[None], size

    def _finish(
        self,
        outputs: DenseOutputs,
        found: FixedDetections,
        masks: Tensor,
        image_size: Tensor,
        photo_size: Tensor,
    ) -> dict[str, Tensor]:
        logits = outputs.stuff_logits[0]
        stuff = stuff_map_in_graph(logits, image_size, photo_size)
        things = FoundOutputs(*found, masks, stuff.to(torch.uint8), stuff_scores(logits))
        if not self.merged:
            return things._asdict()
        merged = merge_in_graph(things, self.model.categories, self.model.config.model.merge)
        return {**things._asdict(), **merged._asdict()}


def _size_tensor(size: Sequence[int]) -> Tensor:
    """(2,) int64 from sides that may be unknowns of the graph."""
    return torch.stack([torch.full((), side, dtype=torch.int64) for side in size])

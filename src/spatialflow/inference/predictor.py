"""Image in, panoptic prediction out: the one road for the command line, Python and everything that serves."""

import copy
import functools
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatialflow.config import MergeConfig
from spatialflow.data.transforms import Scale, normalise_and_pad, resize_image, resized_size
from spatialflow.inference.photo_predictor import PhotoPredictor, several
from spatialflow.models.fusion import fuse_batch_norm
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.photo import Photo, as_photo
from spatialflow.postprocess.panoptic import Found
from spatialflow.postprocess.pipeline import find, merge_found
from spatialflow.postprocess.tta import View, find_in_views
from spatialflow.precision import Precision, choose
from spatialflow.stopwatch import stage
from spatialflow.structures import PanopticPrediction


class Predictor(PhotoPredictor):
    """Runs a model on photos of any size.

    The model is copied, its BatchNorm folded into its convolutions, and the copy moved to where it runs
    best; the one you pass stays as it is.

    Args:
        model: from :func:`spatialflow.load_model`.
        device: ``auto`` takes a GPU if there is one.
        precision: ``auto`` takes bfloat16 where the hardware computes in it; ``hardware`` tells the choice.
        tta: look at each photo at all the sizes of ``config.data.tta``, and mirrored; slower by their number.

    Example:
        >>> predictor = sf.Predictor(sf.load_model("tiny"))
        >>> predictor.predict("photo.jpg").save("panoptic.png")
    """

    def __init__(
        self,
        model: SpatialFlow,
        device: str | torch.device = "auto",
        precision: Precision = "auto",
        tta: bool = False,
    ) -> None:
        self.tta = tta
        self.hardware = choose(device, precision)
        self.config = model.config
        self.categories = model.categories
        fused = fuse_batch_norm(copy.deepcopy(model).eval())
        placed = fused.requires_grad_(False).to(self.hardware.device, self.hardware.dtype)
        self._model = placed.to(memory_format=torch.channels_last)

    @property
    def network(self) -> SpatialFlow:
        """The model as it runs: BatchNorm folded, on its device, in its precision and memory layout."""
        return self._model

    @functools.cached_property
    def settings(self) -> dict[str, str]:
        """Digests of weights and configuration, and how the network is computed."""
        weights = hashlib.blake2b(digest_size=8)
        for key, tensor in self._model.state_dict().items():
            weights.update(key.encode())
            weights.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        data = {key: getattr(self.config.data, key) for key in ("mean", "std", "test_scale")}
        described = (
            self.config.model.model_dump(),
            data,
            self.config.data.tta.model_dump(exclude={"in_evaluation"}),
        )
        config = hashlib.blake2b(repr((described, self.categories.to_json())).encode(), digest_size=8)
        return {
            "weights": weights.hexdigest(),
            "configuration": config.hexdigest(),
            "device": self.hardware.device.type,
            "precision": self.hardware.precision,
            "test-time augmentation": "yes" if self.tta else "no",
        }

    def segment_photos(
        self, photos: Sequence[NDArray[np.uint8]], settings: MergeConfig | None = None
    ) -> list[PanopticPrediction]:
        """Segment (H, W, 3) arrays in one batch; see :meth:`PhotoPredictor.segment_photos`."""
        return [self.merge(found, settings) for found in self.find(photos)]

    def find(self, images: Iterable[Photo]) -> list[Found]:
        """Detections, masks and stuff maps of several photos, before the merge."""
        with stage("decode"):
            photos = [as_photo(image) for image in several(images)]
        if not photos:
            return []
        if self.tta:
            return [self._find_augmented(photo) for photo in photos]
        with stage("preprocess"):
            scale = self.config.data.test_scale
            resized = [resize_image(photo, resized_size(photo.shape[:2], scale)) for photo in photos]
            batch, sizes = normalise_and_pad(resized, self.config.data.mean, self.config.data.std)
        return self.find_in_batch(batch, sizes, [photo.shape[:2] for photo in photos])

    @torch.inference_mode()
    def _find_augmented(self, photo: NDArray[np.uint8]) -> Found:
        """The same of one photo from all views of ``config.data.tta``."""
        tta = self.config.data.tta
        mirrored = (False, True) if tta.flip else (False,)
        views = (self._view(photo, scale, flipped) for scale in tta.scales for flipped in mirrored)
        return find_in_views(self._model, views, photo.shape[:2])

    def _view(self, photo: NDArray[np.uint8], scale: Scale, flipped: bool) -> View:
        resized = resize_image(photo, resized_size(photo.shape[:2], scale))
        if flipped:
            resized = np.ascontiguousarray(resized[:, ::-1])
        batch, (size,) = normalise_and_pad([resized], self.config.data.mean, self.config.data.std)
        return View(self._placed(batch), size, flipped)

    def _placed(self, images: Tensor) -> Tensor:
        return images.to(self.hardware.device, self.hardware.dtype, memory_format=torch.channels_last)

    @torch.inference_mode()
    def find_in_batch(
        self,
        images: Tensor,
        image_sizes: Sequence[tuple[int, int]],
        original_sizes: Sequence[tuple[int, int]],
    ) -> list[Found]:
        """The same for images that are resized, normalised and padded already.

        Args:
            images: (B, 3, H, W).
            image_sizes: B x (H, W) without padding.
            original_sizes: B x (H, W) of the photos, which the results have.
        """
        with stage("preprocess"):
            placed = self._placed(images)
        return find(self._model, self._model(placed), image_sizes, original_sizes)

    def merge(self, found: Found, settings: MergeConfig | None = None) -> PanopticPrediction:
        """The panoptic map of one photo, by the model's thresholds unless others are given.

        Example:
            >>> found = predictor.find(["photo.jpg"])[0]  # the network runs once
            >>> sure = predictor.config.model.merge.model_copy(update={"score_threshold": 0.8})
            >>> predictor.merge(found, sure)
        """
        return merge_found(self._model, found, settings)

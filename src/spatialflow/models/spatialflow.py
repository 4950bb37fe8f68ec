"""The whole network: images in, dense tensors out."""

import math

from torch import Tensor, nn

from spatialflow.categories import Categories
from spatialflow.config import Config
from spatialflow.errors import ConfigError
from spatialflow.models.backbone import Backbone
from spatialflow.models.fpn import FeaturePyramid
from spatialflow.models.heads import MaskHead, StuffHead
from spatialflow.models.layers import init_normal
from spatialflow.models.pretrained import Pretrained
from spatialflow.models.subnets import FlowSubnets
from spatialflow.ops.masks import IGNORED
from spatialflow.structures import DenseOutputs

PRIOR = 0.01
"""Score every anchor starts with, so that the many negatives do not swamp the first steps (RetinaNet)."""


class SpatialFlow(nn.Module, Pretrained):
    """SpatialFlow (Chen et al., IEEE TCSVT 2020, arXiv 1910.08787): no targets and no NMS in here.

    ``config`` and ``categories`` ride along, so that whoever holds the model can prepare images for it and
    name what it finds.
    """

    def __init__(
        self,
        backbone: Backbone,
        pyramid: FeaturePyramid,
        subnets: FlowSubnets,
        cls_predictor: nn.Module,
        box_predictor: nn.Module,
        stuff_head: StuffHead,
        mask_head: MaskHead,
        *,
        config: Config,
        categories: Categories,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pyramid = pyramid
        self.subnets = subnets
        self.cls_predictor = cls_predictor
        self.box_predictor = box_predictor
        self.stuff_head = stuff_head
        self.mask_head = mask_head
        self.config = config
        self.categories = categories

    @classmethod
    def build(cls, config: Config, categories: Categories) -> "SpatialFlow":
        """See :func:`build_model`; the weights are random."""
        return build_model(config, categories)

    def forward(self, images: Tensor) -> DenseOutputs:
        """(B, 3, H, W) normalised float, H and W multiples of 32 -> DenseOutputs."""
        if images.ndim != 4 or images.shape[-2] % 32 or images.shape[-1] % 32:
            raise ValueError(
                f"images must be (B, 3, H, W) with sides multiples of 32, got {tuple(images.shape)}"
            )
        levels = self.pyramid(self.backbone(images))
        split = self.config.model.segmentation_levels
        classes = self.config.model.anchors.per_cell * self.categories.num_things
        fine = [self.subnets(x) for x in levels[:split]]
        every = [*fine, *(self.subnets.detect(x) for x in levels[split:])]
        return DenseOutputs(
            cls_logits=tuple(self.cls_predictor(f.cls)[:, :classes] for f in every),
            box_deltas=tuple(self.box_predictor(f.reg) for f in every),
            stuff_logits=self.stuff_head([f.stuff for f in fine]),
            mask_features=tuple(f.mask for f in fine),
        )

    def segment(self, mask_features: tuple[Tensor, ...], boxes: list[Tensor]) -> Tensor:
        """Mask logits for boxes B x (N_b, 4) xyxy in input pixels -> (sum N_b, T, 28, 28).

        With ``class_agnostic_masks`` the second axis has length 1.
        """
        return self.mask_head(mask_features, boxes)


def build_model(
    config: Config, categories: Categories | None = None, *, pretrained: bool = False
) -> SpatialFlow:
    """Compose the network a config describes, with random weights.

    Args:
        config: see :mod:`spatialflow.config`.
        categories: size the heads; by default those that ``config.data.categories`` names.
        pretrained: fetch timm's ImageNet weights for the backbone (needs a network the first time).

    Raises:
        ConfigError: the backbone is unknown, does not fit, or its weights cannot be fetched; or there are
            more than 254 stuff classes.
    """
    categories = categories or Categories.load(config.data.categories)
    m = config.model
    backbone = Backbone(
        m.backbone,
        pretrained=pretrained,
        frozen_stages=m.frozen_stages,
        freeze_batch_norm=m.freeze_batch_norm,
        deformable_stages=m.deformable.backbone_stages,
        **m.backbone_options,
    )
    if categories.num_stuff_channels > IGNORED:
        raise ConfigError(
            f"data.categories: {categories.num_stuff} stuff classes are too many; the id maps of stuff hold "
            f"{IGNORED - 1}, merge some"
        )
    # a convolution needs an output; without any thing class, forward cuts it off
    num_anchors, num_things = m.anchors.per_cell, max(categories.num_things, 1)
    cls_predictor = nn.Conv2d(m.head_channels, num_anchors * num_things, 3, padding=1)
    box_predictor = nn.Conv2d(m.head_channels, num_anchors * 4, 3, padding=1)
    init_normal(cls_predictor)
    init_normal(box_predictor)
    nn.init.constant_(cls_predictor.bias, -math.log(1 / PRIOR - 1))  # type: ignore[arg-type]
    mask_classes = 1 if m.class_agnostic_masks else num_things
    return SpatialFlow(
        backbone,
        FeaturePyramid(backbone.channels, m.pyramid_channels, m.pyramid_levels, m.head_norm),
        FlowSubnets(
            m.pyramid_channels, m.head_channels, m.head_convs, m.head_norm, m.flows, m.deformable.subnets
        ),
        cls_predictor,
        box_predictor,
        StuffHead(m.head_channels, m.stuff_channels, categories.num_stuff_channels, m.segmentation_levels),
        MaskHead(m.head_channels, m.head_channels, mask_classes, m.mask_convs),
        config=config,
        categories=categories,
    )

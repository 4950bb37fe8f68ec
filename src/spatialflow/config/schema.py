"""Typed configuration: the defaults are the recipe ``spatialflow_r50_fpn_20e_coco``, stated once, here.

Numbers are those of the original's published configuration (github.com/chensnathan/SpatialFlow).
"""

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from spatialflow.categories import AUTO

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Size = tuple[Positive, Positive]
Scale = Annotated[float, Field(gt=0)]


_NOT_BACKBONE_OPTIONS = (
    *("checkpoint_path", "cache_dir"),  # files: not for a config that came with someone's model to name
    *("name", "model_name", "features_only", "frozen_stages", "freeze_batch_norm", "deformable_stages"),
)


def _text_of_number(value: Any) -> Any:
    """YAML reads ``2`` as a number."""
    return str(value) if type(value) is int else value


class Section(BaseModel):
    """A part of the configuration: immutable, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FlowsConfig(Section):
    """Which spatial flows exist (paper, section III-C; all four in the published models)."""

    reg_to_cls: bool = True
    reg_to_stuff: bool = True
    reg_to_mask: bool = True
    stuff_to_mask: bool = True


class DeformableConfig(Section):
    """Where 3x3 convolutions are deformable (DCNv2); nowhere by default."""

    backbone_stages: tuple[Annotated[int, Field(ge=1, le=4)], ...] = ()
    """Stages of a ResNet, 1 to 4, in whose blocks the 3x3 convolution is."""
    subnets: bool = False
    """Whether the cls, stuff and mask sub-networks are, with offsets and modulation from the flows."""


class AnchorConfig(Section):
    """Anchors of one cell: side = ``base_scale`` * stride * 2^(k / ``scales_per_octave``), ratio = h / w."""

    base_scale: float = Field(4.0, gt=0)
    scales_per_octave: Positive = 3
    ratios: tuple[Scale, ...] = Field((0.5, 1.0, 2.0), min_length=1)

    @property
    def per_cell(self) -> int:
        """Number of anchors a cell."""
        return self.scales_per_octave * len(self.ratios)


class DetectionConfig(Section):
    """From dense outputs to boxes."""

    pre_nms_top_k: Positive = 1000
    """Anchors kept of each level, by their best class score."""
    score_threshold: Fraction = 0.05
    nms_iou: Fraction = 0.4
    max_detections: Positive = 100


class MergeConfig(Section):
    """From detections and stuff map to one panoptic map."""

    score_threshold: Fraction = 0.37
    """Things below this score are left out."""
    overlap_threshold: Fraction = 0.37
    """A thing covered by better ones to more than this share of its pixels is left out."""
    stuff_area: int = Field(4900, ge=0)
    """Smallest stuff segment, in pixels."""
    using_bbox: bool = True
    """Whether boxes then fill what is still void."""
    bbox_threshold: Fraction = 0.5
    """Share of a box that must be void for the box to fill it."""


class ModelConfig(Section):
    """Architecture, and how its outputs become a panoptic map."""

    backbone: str = "resnet50.tv_in1k"
    """Any timm model with ``features_only``; the default's ImageNet weights are those of the original."""
    backbone_options: dict[str, Any] = {}
    """Further arguments of ``timm.create_model``."""
    pretrained: bool = True
    """Start training from timm's ImageNet weights; never needed to load a checkpoint."""
    frozen_stages: int = Field(1, ge=-1)
    """Stages of a ResNet whose weights do not train: 1 = stem and layer1, 0 = stem, -1 = none."""
    freeze_batch_norm: bool = True
    """BatchNorm of the backbone keeps its statistics during training."""
    pyramid_channels: Positive = 256
    pyramid_levels: Annotated[int, Field(ge=3, le=7)] = 5
    segmentation_levels: Annotated[int, Field(ge=1, le=3)] = 3
    """Finest levels (strides 8, 16, 32) that run the stuff and mask sub-networks."""
    head_channels: Positive = 256
    head_convs: Positive = 4
    head_norm: Literal["none", "group"] = "none"
    """GroupNorm after the convolutions of the pyramid and the sub-networks, or none."""
    stuff_channels: Positive = 128
    mask_convs: Annotated[int, Field(ge=0)] = 4
    class_agnostic_masks: bool = False
    flows: FlowsConfig = FlowsConfig()
    deformable: DeformableConfig = DeformableConfig()
    anchors: AnchorConfig = AnchorConfig()
    detection: DetectionConfig = DetectionConfig()
    merge: MergeConfig = MergeConfig()

    @field_validator("backbone_options")
    @classmethod
    def _only_of_architecture(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in value:
            if key in _NOT_BACKBONE_OPTIONS or key.startswith("pretrained"):
                raise ValueError(
                    f"{key!r} does not belong here: these describe the architecture, weights come from a "
                    f"checkpoint, or from model.pretrained"
                )
        return value

    @model_validator(mode="after")
    def _deformable_fits(self) -> "ModelConfig":
        if self.deformable.subnets and self.pyramid_channels != self.head_channels:
            raise ValueError(
                f"deformable.subnets needs pyramid_channels ({self.pyramid_channels}) and head_channels "
                f"({self.head_channels}) to be equal: both features are added"
            )
        stages = self.deformable.backbone_stages
        if len(set(stages)) != len(stages):
            raise ValueError(f"deformable.backbone_stages {list(stages)} names a stage twice")
        if stages and min(stages) <= self.frozen_stages:
            raise ValueError(
                f"deformable.backbone_stages {list(stages)} has a stage that frozen_stages="
                f"{self.frozen_stages} keeps from learning its offsets; lower frozen_stages, or leave it out"
            )
        return self

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of every pyramid level in pixels of the network's input: 8, 16, ..."""
        return tuple(8 * 2**level for level in range(self.pyramid_levels))


class TtaConfig(Section):
    """Views of each photo that test-time augmentation (``--tta``) adds up."""

    scales: Annotated[tuple[Size, ...], Field(min_length=1)] = ((1500, 1000), (1800, 1200), (2100, 1400))
    """As ``data.test_scale``, one for each size."""
    flip: bool = True
    """Whether each size is also seen in its mirror image."""
    in_evaluation: bool = False
    """Whether ``evaluate`` does so even without ``--tta``, as the original does with its R101-DCN."""


class DataConfig(Section):
    """Where the data lie and what an image goes through. Relative paths start at the working directory."""

    train: str = "data/coco/annotations/panoptic_train2017.json"
    train_images: str | None = None
    """Folder or ``.zip`` of the photos; by default looked for beside the annotations, as COCO has them."""
    train_segments: str | None = None
    """Folder or ``.zip`` of the panoptic PNGs; by default the annotation file's path without ``.json``."""
    val: str = "data/coco/annotations/panoptic_val2017.json"
    val_images: str | None = None
    val_segments: str | None = None
    test: str = "data/coco/annotations/image_info_test-dev2017.json"
    """Photos without truth, for ``evaluate --split test-dev``."""
    test_images: str | None = None
    categories: str = AUTO
    """What the heads are sized by: ``auto``, the classes of the training annotations (COCO's, where a model
    is built without data); ``coco_panoptic``; or a JSON file with the categories."""
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    """Of RGB pixels 0..255."""
    std: tuple[Scale, Scale, Scale] = (58.395, 57.12, 57.375)
    train_scales: Annotated[tuple[Size, ...], Field(min_length=1, max_length=2)] = ((1333, 800),)
    """Two sides, the longer for the photo's longer; given twice, each is drawn uniformly in between."""
    test_scale: Size = (1333, 800)
    tta: TtaConfig = TtaConfig()
    flip: Fraction = 0.5
    keep_images_without_things: bool = False
    """Train on photos that show only stuff, too; the original leaves them out."""
    batch_size: Positive = 2
    """Images a device and step."""
    eval_batch_size: Positive = 1
    workers: Annotated[int, Field(ge=0)] = 2
    """Loader processes a device."""


class LossConfig(Section):
    """Target assignment and loss weights."""

    positive_iou: Fraction = 0.5
    negative_iou: Fraction = Field(0.4, validate_default=True)
    focal_gamma: float = Field(2.0, ge=0)
    focal_alpha: Fraction = 0.25
    cls_weight: float = Field(1.0, ge=0)
    box_weight: float = Field(1.0, ge=0)
    mask_weight: float = Field(1.0, ge=0)
    mask_detections: Annotated[int, Field(ge=0)] = 100
    """Detections an image whose masks train besides the ground-truth boxes, the best-scored first."""
    stuff_weight: float = Field(0.5, ge=0)
    """Times the mean over images: what the original's 0.25 comes to with its 2 images a GPU, whose losses it
    adds up (a broadcasting slip of its stuff loss)."""

    @field_validator("negative_iou")
    @classmethod
    def _below_positive(cls, value: float, info: ValidationInfo) -> float:
        if value > info.data.get("positive_iou", 1):
            raise ValueError(f"must not exceed positive_iou ({info.data['positive_iou']})")
        return value


class TrainConfig(Section):
    """Optimiser, schedule, hardware, and where the results go."""

    epochs: Positive = 20
    max_steps: Positive | None = None
    """Optimiser steps after which training ends even before ``epochs`` are done."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.005, gt=0)
    """At ``base_batch`` images a step."""
    base_batch: Positive = 8
    scale_lr: bool = True
    """Multiply ``lr`` by actual batch / ``base_batch``."""
    momentum: Fraction = 0.9
    weight_decay: float = Field(1e-4, ge=0)
    schedule: Literal["steps", "cosine"] = "steps"
    milestones: tuple[Scale, ...] = (16, 19)
    """Epochs, also fractions of one, after which ``steps`` multiplies the rate by ``gamma``."""
    gamma: float = Field(0.1, gt=0)
    warmup_steps: Annotated[int, Field(ge=0)] = 500
    warmup_ratio: Fraction = 0.001
    """Rate of the first step, as a share."""
    clip_norm: float | None = Field(None, gt=0)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: Annotated[str, BeforeValidator(_text_of_number)] = "auto"
    """``auto``, or how many, or which (``0,1``)."""
    nodes: Positive = 1
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    out: str = "runs"
    """Folder; each recipe gets one of its own name inside."""
    log_every: Positive = 50
    average_precision: bool = False
    """Whether validation also computes box and mask AP, which takes longer."""
    val_every: Positive = 1
    """Epochs from one validation to the next; a checkpoint is written after each epoch."""

    @field_validator("milestones")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(later <= earlier for earlier, later in pairwise(value)):
            raise ValueError("the epochs must ascend")
        return value


class Config(Section):
    """Everything a run depends on."""

    name: str = Field("spatialflow_r50_fpn_20e_coco", pattern=r"^[^/\\\\]*[^/\\\\.][^/\\\\]*$")
    """Also of the folder of results, so without slashes."""
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="after")
    def _levels_fit(self) -> "Config":
        if self.model.segmentation_levels > self.model.pyramid_levels:
            raise ValueError("model.segmentation_levels must not exceed model.pyramid_levels")
        return self

"""Any timm model as the source of C3, C4, C5."""

import difflib
import logging
from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spatialflow.errors import ConfigError
from spatialflow.models.deformable import SelfGuidedDeformableConv
from spatialflow.models.hub import quiet_hub

STRIDES = (8, 16, 32)
_log = logging.getLogger(__name__)


class Backbone(nn.Module):
    """Features of strides 8, 16 and 32 from a timm model.

    ``frozen_stages`` = n stops the gradient of everything up to stride 2^(n+1): -1 nothing, 0 the stem, 1 the
    stem and the first stage (stride 4), as in the original. With ``freeze_batch_norm`` the BatchNorm layers
    keep their statistics in training mode; their scale and shift still train unless their stage is frozen.
    ``deformable_stages`` of a ResNet (1 to 4) have deformable 3x3 convolutions that guide themselves.
    """

    def __init__(
        self,
        name: str = "resnet50.tv_in1k",
        *,
        pretrained: bool = False,
        frozen_stages: int = 1,
        freeze_batch_norm: bool = True,
        deformable_stages: Sequence[int] = (),
        **options: Any,
    ) -> None:
        super().__init__()
        self.freeze_batch_norm = freeze_batch_norm
        self.body = _create(name, pretrained, options)
        reductions = self.body.feature_info.reduction()
        missing = [s for s in STRIDES if s not in reductions]
        if missing:
            raise ConfigError(
                f"model.backbone={name}: has no features of stride {missing[0]} (it has {reductions}); "
                f"choose a backbone with strides 8, 16 and 32, such as resnet50"
            )
        self._picked = [len(reductions) - 1 - reductions[::-1].index(s) for s in STRIDES]
        channels = self.body.feature_info.channels()
        self.channels: tuple[int, ...] = tuple(channels[i] for i in self._picked)
        for stage in deformable_stages:
            _make_deformable(self.body, f"layer{stage}", name)
        self._freeze(frozen_stages)
        self._try(name)

    def _try(self, name: str) -> None:
        """Find out now, not in the middle of training, whether images of any size go through."""
        was_training = self.body.training
        try:
            with torch.no_grad():
                self.eval()(torch.zeros(1, 3, 64, 96))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"model.backbone={name}: takes no image of 96x64 ({_first_line(error)}); choose one for "
                f"images of any size, or give timm the options for it in model.backbone_options"
            ) from error
        self.train(was_training)

    def _freeze(self, stages: int) -> None:
        """Stop the gradient up to the last feature whose stride is at most 2^(stages + 1)."""
        info = zip(self.body.feature_info.module_name(), self.body.feature_info.reduction(), strict=True)
        frozen = [name.replace(".", "_") for name, reduction in info if reduction <= 2 ** (stages + 1)]
        if frozen:
            _freeze_through(self.body, frozen[-1])

    def train(self, mode: bool = True) -> "Backbone":
        """Switch the mode; frozen BatchNorm layers stay in evaluation mode."""
        super().train(mode)
        if self.freeze_batch_norm:
            for module in self.body.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W), sides multiples of 32 -> C3, C4, C5: (B, C_l, H/s, W/s), s = 8, 16, 32."""
        features = self.body(images)
        return tuple(
            _channels_first(features[i], c) for i, c in zip(self._picked, self.channels, strict=True)
        )


def expected_normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, of RGB 0..255, that the pretrained weights of a timm model expect."""
    published = _published(name)
    if published is None:
        return (), ()
    return tuple(255 * v for v in published.mean), tuple(255 * v for v in published.std)


def _create(name: str, pretrained: bool, options: dict[str, Any]) -> Any:
    """An nn.Module; timm has no typed class for what has ``feature_info``."""
    if not timm.is_model(name):
        close = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), n=4)
        hint = f"; known ones like it: {', '.join(close)}" if close else "; see timm.list_models()"
        raise ConfigError(f"model.backbone={name}: timm has no such model{hint}")
    if name.startswith("swin"):
        options = {"strict_img_size": False, **options}  # windows fit any size, timm only has to be told
    published = _published(name)
    if pretrained and not (published and published.has_weights):
        raise ConfigError(
            f"model.backbone={name}: timm has no weights for it; set model.pretrained=false to do without"
        )
    if pretrained:
        _log.info("%s starts from ImageNet weights; unless they are here, they are fetched now", name)
    try:
        with quiet_hub():
            return timm.create_model(name, pretrained=pretrained, features_only=True, **options)
    except (OSError, ConnectionError) as error:
        raise ConfigError(
            f"model.backbone={name}: its ImageNet weights could not be fetched ({type(error).__name__}); "
            f"connect to the network once, or set model.pretrained=false to start from random weights"
        ) from error
    except TypeError as error:
        raise ConfigError(f"model.backbone_options: timm refuses them for {name} ({error})") from error
    except RuntimeError as error:
        raise ConfigError(
            f"model.backbone={name}: cannot give feature maps ({_first_line(error)}); choose another"
        ) from error


def _published(name: str) -> Any:
    """What timm says of a model's weights, or None.

    Raises:
        ConfigError: the part of the name after the dot is none of the model's weights.
    """
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        model, _, tag = name.partition(".")
        known = [other.partition(".")[2] for other in timm.list_pretrained(f"{model}.*")]
        close = difflib.get_close_matches(tag, known, n=1) or known[:1]
        hint = f"; did you mean {model}.{close[0]}?" if close else f"; leave it out: {model}"
        raise ConfigError(f"model.backbone={name}: timm has no weights {tag!r} of {model}{hint}") from error


def _make_deformable(body: nn.Module, stage: str, name: str) -> None:
    """Exchange the second convolution, the 3x3 one, of every block of a stage."""
    blocks = list(getattr(body, stage, nn.Module()).children())
    convs = [getattr(block, "conv2", None) for block in blocks]
    if not convs or not all(_can_be_deformable(conv) for conv in convs):
        raise ConfigError(
            f"model.deformable.backbone_stages: {name} has no plain 3x3 convolutions conv2 in {stage}; "
            f"choose a ResNet, such as resnet101.tv_in1k, or leave the key empty"
        )
    for block, conv in zip(blocks, convs, strict=True):
        assert isinstance(conv, nn.Conv2d)
        block.conv2 = SelfGuidedDeformableConv.replacing(conv)


def _can_be_deformable(conv: object) -> bool:
    return (
        isinstance(conv, nn.Conv2d)
        and conv.kernel_size == (3, 3)
        and conv.padding == (1, 1)
        and conv.dilation == (1, 1)
        and conv.groups == 1
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _freeze_through(module: nn.Module, last: str) -> None:
    """Stop the gradient of a module's children up to ``last``; ``blocks_0`` may be a child of ``blocks``."""
    for name, child in module.named_children():
        if last.startswith(f"{name}_"):
            return _freeze_through(child, last.removeprefix(f"{name}_"))
        child.requires_grad_(False)
        if name == last:
            return None
    return None


def _channels_first(feature: Tensor, channels: int) -> Tensor:
    """Some timm families (Swin) answer (B, H, W, C)."""
    if feature.shape[1] != channels and feature.shape[-1] == channels:
        return torch.movedim(feature, -1, 1)
    return feature

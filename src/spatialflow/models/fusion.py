"""Folding BatchNorm into the convolution before it, for inference."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spatialflow.models.spatialflow import SpatialFlow


def fuse_batch_norm(model: SpatialFlow) -> SpatialFlow:
    """Fold the backbone's BatchNorm layers into the convolutions whose output they take.

    In place, for a model in evaluation mode. Pairs are found by running the backbone once on a small image,
    not by names. Norms that are more than plain BatchNorm (with a built-in activation, say) stay.
    """
    made_by: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # holds the outputs, so that ids stay unique
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def after_conv(module: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        made_by[id(output)] = (module, output)

    def before_norm(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if id(inputs[0]) in made_by:
            assert isinstance(module, nn.BatchNorm2d)
            pairs.append((made_by[id(inputs[0])][0], module))

    hooks = [
        m.register_forward_hook(after_conv) for m in model.backbone.modules() if isinstance(m, nn.Conv2d)
    ]
    hooks += [
        m.register_forward_pre_hook(before_norm)
        for m in model.backbone.modules()
        if type(m) is nn.BatchNorm2d
    ]
    weight = next(model.parameters())
    with torch.no_grad():
        model.backbone(weight.new_zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    replaced: dict[nn.Module, nn.Module] = {}
    for conv, norm in pairs:
        replaced[conv] = fuse_conv_bn_eval(conv, norm)
        replaced[norm] = nn.Identity()
    for parent in list(model.backbone.modules()):
        for name, child in parent.named_children():
            if child in replaced:
                setattr(parent, name, replaced[child])
    return model

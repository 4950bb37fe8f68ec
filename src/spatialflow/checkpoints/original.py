"""Checkpoints of the original code (mmdetection 2.3.0 fork), whose layer names differ from ours.

The container and the names are those of the published files: ``{"meta": ..., "state_dict": ...}``, with
``meta["CLASSES"]`` naming 80 things and then 54 stuff classes.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from spatialflow.errors import CheckpointError

_RULES = (
    (r"backbone\.(.+\.conv2)_offset\.", r"backbone.body.\1.conv_offset."),  # very old files
    (r"backbone\.", "backbone.body."),
    (r"neck\.lateral_convs\.(\d+)\.conv\.", r"pyramid.lateral.\1.conv."),
    (r"neck\.fpn_convs\.([012])\.conv\.", r"pyramid.output.\1.conv."),
    (r"neck\.fpn_convs\.3\.conv\.", "pyramid.extra.0.conv."),
    (r"neck\.fpn_convs\.4\.conv\.", "pyramid.extra.1.conv."),
    (r"bbox_head\.reg_convs\.(\d+)\.conv\.", r"subnets.reg.\1.conv."),
    (r"bbox_head\.(cls|stuff)_convs\.(\d+)\.conv\.", r"subnets.\1.\2.layer.conv."),
    (r"bbox_head\.(cls|stuff)_spatial_flow_convs\.(\d+)\.conv\.", r"subnets.\1.\2.flow."),
    (r"bbox_head\.mask_convs\.0\.conv\.", "subnets.mask.layer.conv."),
    (r"bbox_head\.mask_spatial_flow_convs\.0\.conv\.", "subnets.mask.flow."),
    (r"bbox_head\.stuff_mask_flow_convs\.0\.conv\.", "subnets.stuff_to_mask."),
    (r"bbox_head\.retina_cls\.", "cls_predictor."),
    (r"bbox_head\.retina_reg\.", "box_predictor."),
    (r"mask_head\.conv_logits\.", "mask_head.logits."),
    (r"mask_head\.(convs\.\d+\.conv|upsample)\.", r"mask_head.\1."),
    (r"stuff_head\.conv\.", "stuff_head.logits."),
)
_STUFF_LATERAL = re.compile(r"stuff_head\.lateral_convs\.(\d+)\.(\d+)\.(conv|gn)\.(.+)")


def is_original(state: Mapping[str, Any]) -> bool:
    """Whether these look like keys of the original, after stripping ``module.``; some may be missing."""
    return any(key.startswith(("bbox_head.stuff_convs.", "stuff_head.lateral_convs.")) for key in state)


def rename(key: str) -> str:
    """Our name of one of the original's keys.

    Raises:
        KeyError: the original has no such layer.
    """
    if lateral := _STUFF_LATERAL.fullmatch(key):
        level, position, kind, rest = lateral.groups()
        # the original's list holds an upsampling layer at every odd position
        return f"stuff_head.lateral.{level}.{int(position) // 2}.{'norm' if kind == 'gn' else 'conv'}.{rest}"
    for pattern, replacement in _RULES:
        if re.match(pattern, key):
            return re.sub(f"^{pattern}", replacement, key)
    raise KeyError(key)


def convert(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Rename every key; ``source`` is the file an error names.

    Raises:
        CheckpointError: a key that SpatialFlow does not have.
    """
    converted = {}
    for key, tensor in state.items():
        try:
            converted[rename(key)] = tensor
        except KeyError as error:
            raise CheckpointError(
                f"{source}: {key}: is no layer of SpatialFlow; is this another model's file?"
            ) from error
    return converted


def recipe(state: Mapping[str, Tensor], source: str) -> str:
    """Name of the recipe that a (not yet renamed) state dict was trained with.

    Raises:
        CheckpointError: a depth or class count that no published model has.
    """
    blocks = {int(m[1]) for key in state if (m := re.match(r"backbone\.layer3\.(\d+)\.", key))}
    depth = {6: 50, 23: 101}.get(len(blocks))
    if depth is None:
        raise CheckpointError(
            f"{source}: backbone.layer3 has {len(blocks)} blocks; ResNet-50 has 6, ResNet-101 23; "
            f"name its recipe (convert checkpoint --recipe; in Python sf.load_model(path, config=...))"
        )
    for key, what, count in (
        ("mask_head.conv_logits.weight", "thing", 80),
        ("stuff_head.conv.weight", "stuff", 54),
    ):
        if key in state and state[key].shape[0] != count:
            raise CheckpointError(
                f"{source}: {key}: has {state[key].shape[0]} {what} outputs, COCO's has {count}; "
                f"name a recipe whose data.categories has its classes (convert checkpoint --recipe; in "
                f"Python sf.load_model(path, config=...))"
            )
    if depth == 101 and any("conv2.conv_offset." in key or "conv2_offset." in key for key in state):
        return "spatialflow_r101_dcn_fpn_20e_coco_multiscale_fp16"
    return f"spatialflow_r{depth}_fpn_20e_coco"

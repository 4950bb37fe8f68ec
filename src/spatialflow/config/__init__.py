"""What a run depends on: a typed configuration, and the recipes that it is read from."""

from spatialflow.config.recipes import config_from_dict, load_config, override_config, recipe_names
from spatialflow.config.schema import (
    AnchorConfig,
    Config,
    DataConfig,
    DetectionConfig,
    FlowsConfig,
    LossConfig,
    MergeConfig,
    ModelConfig,
    TrainConfig,
)

__all__ = [
    "AnchorConfig",
    "Config",
    "DataConfig",
    "DetectionConfig",
    "FlowsConfig",
    "LossConfig",
    "MergeConfig",
    "ModelConfig",
    "TrainConfig",
    "config_from_dict",
    "load_config",
    "override_config",
    "recipe_names",
]

"""Converters between annotation formats, one function each; ``spatialflow convert`` runs them."""

from spatialflow.data.converters.ade20k import ade20k_to_panoptic
from spatialflow.data.converters.cityscapes import cityscapes_to_panoptic
from spatialflow.data.converters.coco_stuff import coco_stuff_to_panoptic
from spatialflow.data.converters.from_detection import detection_to_panoptic
from spatialflow.data.converters.from_two_channels import two_channel_to_panoptic
from spatialflow.data.converters.mapillary import VistasSource, VistasVersion, mapillary_to_panoptic
from spatialflow.data.converters.overlap import OverlapPolicy
from spatialflow.data.converters.panoptic_output import Conversion
from spatialflow.data.converters.to_detection import panoptic_to_detection
from spatialflow.data.converters.to_semantic import panoptic_to_semantic

__all__ = [
    "Conversion",
    "OverlapPolicy",
    "VistasSource",
    "VistasVersion",
    "ade20k_to_panoptic",
    "cityscapes_to_panoptic",
    "coco_stuff_to_panoptic",
    "detection_to_panoptic",
    "mapillary_to_panoptic",
    "panoptic_to_detection",
    "panoptic_to_semantic",
    "two_channel_to_panoptic",
]

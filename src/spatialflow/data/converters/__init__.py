"""Converters between annotation formats, one function each; ``spatialflow convert`` runs them."""

from spatialflow.data.converters.ade20k import ade20k_to_panoptic
from spatialflow.data.converters.cityscapes import cityscapes_to_panoptic
from spatialflow.data.converters.coco_stuff import coco_stuff_to_panoptic
from spatialflow.data.converters.cvat import cvat_to_panoptic
from spatialflow.data.converters.export_notes import ExportConversion
from spatialflow.data.converters.from_detection import detection_to_panoptic
from spatialflow.data.converters.from_two_channels import two_channel_to_panoptic
from spatialflow.data.converters.label_studio import label_studio_to_panoptic
from spatialflow.data.converters.labelme import labelme_to_panoptic
from spatialflow.data.converters.mapillary import VistasSource, VistasVersion, mapillary_to_panoptic
from spatialflow.data.converters.mask_files import masks_to_panoptic
from spatialflow.data.converters.mask_layout import MaskLayout
from spatialflow.data.converters.overlap import OverlapPolicy
from spatialflow.data.converters.panoptic_output import Conversion
from spatialflow.data.converters.to_detection import panoptic_to_detection
from spatialflow.data.converters.to_semantic import panoptic_to_semantic

__all__ = [
    "Conversion",
    "ExportConversion",
    "MaskLayout",
    "OverlapPolicy",
    "VistasSource",
    "VistasVersion",
    "ade20k_to_panoptic",
    "cityscapes_to_panoptic",
    "coco_stuff_to_panoptic",
    "cvat_to_panoptic",
    "detection_to_panoptic",
    "label_studio_to_panoptic",
    "labelme_to_panoptic",
    "mapillary_to_panoptic",
    "masks_to_panoptic",
    "panoptic_to_detection",
    "panoptic_to_semantic",
    "two_channel_to_panoptic",
]

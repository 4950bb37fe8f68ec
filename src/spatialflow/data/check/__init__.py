"""The data doctor: finds every fault of a COCO-panoptic data set, and mends what a program can."""

from spatialflow.data.check.doctor import CheckReport, check_dataset
from spatialflow.data.check.fix import FixReport, write_repaired

__all__ = ["CheckReport", "FixReport", "check_dataset", "write_repaired"]

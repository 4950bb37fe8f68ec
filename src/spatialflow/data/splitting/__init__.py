"""Data sets cut in two, cut down, and brought together."""

from spatialflow.data.splitting.label_map import read_label_map
from spatialflow.data.splitting.merge import MergeResult, merge_sets
from spatialflow.data.splitting.source import SourceSet, open_set
from spatialflow.data.splitting.split import Part, split_set
from spatialflow.data.splitting.subset import read_image_list, split_names, subset_set

__all__ = [
    "MergeResult",
    "Part",
    "SourceSet",
    "merge_sets",
    "open_set",
    "read_image_list",
    "read_label_map",
    "split_names",
    "split_set",
    "subset_set",
]

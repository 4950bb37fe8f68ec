"""The segments of one image as columns, whether they come from a file, a prediction or a target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.panoptic_annotation import SegmentInfo
from spatialflow.structures import PanopticPrediction, Target


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTable:
    """N segments; row i of every column is segment i, in the order listed."""

    ids: NDArray[np.int64]
    """(N,) values in the id map, unique, none 0."""
    labels: NDArray[np.int64]
    """(N,) contiguous labels, things first."""
    is_crowd: NDArray[np.bool_]
    """(N,)"""
    areas: NDArray[np.int64] | None = None
    """(N,) pixels as the annotation states them; None to count the id map's."""

    def __post_init__(self) -> None:
        """Check what matching takes for granted."""
        columns = [self.ids, self.labels, self.is_crowd] + ([] if self.areas is None else [self.areas])
        if any(column.shape != (len(self.ids),) for column in columns):
            raise ValueError(f"columns of one length expected, got {[column.shape for column in columns]}")
        if (self.ids == 0).any() or len(np.unique(self.ids)) != len(self.ids):
            raise ValueError(f"segment ids must be unique and not 0, got {self.ids.tolist()}")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def from_infos(cls, segments: Sequence[SegmentInfo], categories: Categories) -> Self:
        """The rows of an annotation file, with its areas if it states all of them.

        Raises:
            KeyError: a category id that ``categories`` does not have.
        """
        areas = [segment.area for segment in segments]
        return cls(
            ids=np.array([segment.id for segment in segments], np.int64),
            labels=np.array([categories.label(segment.category_id) for segment in segments], np.int64),
            is_crowd=np.array([segment.is_crowd for segment in segments], np.bool_),
            areas=None if None in areas else np.array(areas, np.int64),
        )

    @classmethod
    def from_prediction(cls, prediction: PanopticPrediction, categories: Categories | None = None) -> Self:
        """The rows of a prediction, with the labels that ``categories`` give its category ids.

        Raises:
            KeyError: a category id that ``categories`` does not have.
        """
        labels = [
            segment.label if categories is None else categories.label(segment.category.id)
            for segment in prediction.segments
        ]
        return cls(
            ids=np.array([segment.id for segment in prediction.segments], np.int64),
            labels=np.array(labels, np.int64),
            is_crowd=np.zeros(len(prediction.segments), np.bool_),
        )

    @classmethod
    def from_target(cls, target: Target) -> Self:
        """The rows of a target, whose areas are those of its (transformed) id map.

        Rows without a pixel, which transforms may leave, are dropped: they are nothing to be found.
        """
        ids = target.ids.numpy(force=True)
        painted = np.isin(ids, target.id_map.unique().numpy(force=True))
        return cls(
            ids=ids[painted],
            labels=target.labels.numpy(force=True)[painted],
            is_crowd=target.is_crowd.numpy(force=True)[painted],
        )

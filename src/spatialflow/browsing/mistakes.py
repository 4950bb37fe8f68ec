"""What a prediction gets wrong in one image, segment by segment."""

from dataclasses import dataclass
from enum import StrEnum

from spatialflow.browsing.scene import Layer, Scene, Shape
from spatialflow.categories import Category
from spatialflow.evaluation.file_pairs import Comparison


class Kind(StrEnum):
    """The three ways to be wrong; see :class:`spatialflow.evaluation.matching.Matching`."""

    WRONG = "wrong"
    """A false positive and a miss that overlap with an IoU above 0.5, but are of different categories."""
    FALSE = "false"
    """Any other false positive."""
    MISSED = "missed"
    """Any other miss: a true segment, not a crowd, that nothing matches."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake."""

    kind: Kind
    truth: Shape | None
    """None for a false positive."""
    pred: Shape | None
    """None for a miss."""
    iou: float | None = None
    """Of a wrong match."""

    @property
    def shape(self) -> Shape:
        """The segment to draw; of a wrong match, the predicted one."""
        shape = self.truth if self.pred is None else self.pred
        assert shape is not None
        return shape

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories it concerns, the true one first."""
        return tuple(shape.category for shape in (self.truth, self.pred) if shape is not None)

    @property
    def name(self) -> str:
        """Its category, or of a wrong match, both."""
        return " as ".join(category.name for category in self.categories)


def find_mistakes(scene: Scene) -> list[Mistake]:
    """All mistakes of an image, the wrong matches first, then false positives, then misses; large ones first.

    Every false positive and every miss that PQ counts is in exactly one of them.
    """
    if scene.compared is None or scene.truth is None or scene.pred is None:
        return []
    matching, truth, pred = scene.compared.matching, scene.truth, scene.pred
    wrong = [
        Mistake(Kind.WRONG, truth.shapes[t], pred.shapes[p], iou)
        for t, p, iou in zip(*(column.tolist() for column in matching.wrong_matches), strict=True)
    ]
    false = set(matching.false_positives.nonzero()[0].tolist()) - set(matching.wrong_matches.pred.tolist())
    missed = set(matching.false_negatives.nonzero()[0].tolist()) - set(matching.wrong_matches.truth.tolist())
    mistakes = [
        *wrong,
        *(Mistake(Kind.FALSE, None, pred.shapes[row]) for row in sorted(false)),
        *(Mistake(Kind.MISSED, truth.shapes[row], None) for row in sorted(missed)),
    ]
    order = list(Kind)
    return sorted(mistakes, key=lambda mistake: (order.index(mistake.kind), -mistake.shape.area))


def found(compared: Comparison, truth: Layer) -> list[Shape]:
    """The true segments that are matched."""
    return [truth.shapes[row] for row in compared.matching.matches.truth.tolist()]


def ignored(compared: Comparison, pred: Layer) -> list[Shape]:
    """Predictions that are neither right nor wrong, since they lie on void or a crowd."""
    counted = set(compared.matching.matches.pred.tolist())
    false = compared.matching.false_positives.tolist()
    return [shape for row, shape in enumerate(pred.shapes) if row not in counted and not false[row]]

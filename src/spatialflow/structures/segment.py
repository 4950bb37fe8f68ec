"""One segment of a panoptic result."""

from dataclasses import dataclass

from spatialflow.categories import Category


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a prediction."""

    id: int
    """Value of its pixels in ``segment_ids``, from 1."""
    label: int
    """Contiguous label, things first."""
    category: Category
    is_thing: bool
    score: float
    """Detection score of a thing; of stuff, the mean softmax probability where its class is best; 0..1."""
    area: int
    """Pixels."""
    box: tuple[int, int, int, int]
    """x1, y1, x2, y2 of its pixels; x2 and y2 exclusive."""
    is_crowd: bool = False
    """Several things that nobody told apart, as ground truth may have them; never of our predictions."""

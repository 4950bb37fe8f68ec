"""The network behind the page: one pass for each photo, and any number of merges of what it found."""

import contextlib
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.config import MergeConfig
from spatialflow.errors import DataError
from spatialflow.image_io import read_photo
from spatialflow.inference import Predictor
from spatialflow.postprocess.panoptic import merge
from spatialflow.postprocess.pipeline import Found
from spatialflow.structures import PanopticPrediction
from spatialflow.web.turns import Turns

_HELD_BYTES = 1 << 30
"""Memory for photos that are open on somebody's page."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a visitor can choose of :class:`~spatialflow.config.MergeConfig`."""

    confidence: float
    """``score_threshold``, 0..1."""
    overlap: float
    """``overlap_threshold``, 0..1."""

    def __post_init__(self) -> None:
        """Check both.

        Raises:
            DataError: one is no number from 0 to 1.
        """
        for name in ("confidence", "overlap"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise DataError(f"{name}: {value!r} is no threshold; give a number from 0 to 1")

    def applied_to(self, config: MergeConfig) -> MergeConfig:
        """The settings with these in their place."""
        return config.model_copy(
            update={"score_threshold": self.confidence, "overlap_threshold": self.overlap}
        )


@dataclass(slots=True)
class Look:
    """A photo and what the network said of it."""

    name: str
    """Of its file."""
    pixels: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    found: Found
    writing: threading.Lock = field(default_factory=threading.Lock)
    """Held while its files are written, so that those of the latest thresholds come last."""
    latest: Thresholds | None = None
    """What the page shows at the moment."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.pixels.nbytes + self.found.stuff.nbytes + sum(a.nbytes for a in self.found.things)


class Engine:
    """A predictor for several visitors.

    Passes through the network come one after the other; merges do not wait for them.

    Args:
        predictor: the model.
        held_bytes: memory for photos that are kept for further merges; the least recently used go first.
    """

    def __init__(self, predictor: Predictor, held_bytes: int = _HELD_BYTES) -> None:
        self.predictor = predictor
        self._held_bytes = held_bytes
        self._network = Turns()
        self._guard = threading.Lock()
        self._idle = threading.Condition()
        self._working = 0
        self._is_ending = False
        self._looks: OrderedDict[str, Look] = OrderedDict()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Around everything that is done for a visitor, so that :meth:`end` can wait for it."""
        with self._idle:
            self._working += 1
        try:
            yield
        finally:
            with self._idle:
                self._working -= 1
                self._idle.notify_all()

    def end(self, timeout: float = 10) -> None:
        """Let nobody use the network any more, and wait, so many seconds at most, for those at work.

        Threads that still compute while Python ends would make it crash.
        """
        with self._idle:
            self._is_ending = True
            self._idle.wait_for(lambda: self._working == 0, timeout)

    @property
    def categories(self) -> Categories:
        """Of the model."""
        return self.predictor.categories

    @property
    def defaults(self) -> Thresholds:
        """The model's own."""
        config = self.predictor.config.model.merge
        return Thresholds(config.score_threshold, config.overlap_threshold)

    @property
    def lowest_confidence(self) -> float:
        """Below it the network's detections are not kept, so that no threshold lets more in."""
        return min(self.predictor.config.model.detection.score_threshold, self.defaults.confidence)

    def look(self, path: Path) -> Look:
        """Read a photo and run the network on it.

        Raises:
            DataError: it is no readable image.
        """
        pixels = read_photo(path)
        return Look(path.name, pixels, self._find(pixels))

    def predict(self, image: NDArray[np.uint8]) -> PanopticPrediction:
        """Segment a frame of a clip, (H, W, 3) uint8 RGB; photos of others come between two frames."""
        return self.predictor.merge(self._find(image))

    def _find(self, pixels: NDArray[np.uint8]) -> Found:
        with self._network:
            if self._is_ending:
                raise DataError("server: is being stopped; try again later")
            return self.predictor.find([pixels])[0]

    def merge(self, look: Look, thresholds: Thresholds) -> PanopticPrediction:
        """The panoptic map by other thresholds than the model's; the network does not run."""
        config = thresholds.applied_to(self.predictor.config.model.merge)
        found = look.found
        return merge(found.things, found.stuff, found.stuff_scores, self.categories, config)

    def hold(self, look: Look) -> str:
        """Keep a photo for further merges; returns its ticket."""
        ticket = uuid.uuid4().hex
        with self._guard:
            self._looks[ticket] = look
            held = sum(each.nbytes for each in self._looks.values())
            while held > self._held_bytes and len(self._looks) > 1:
                held -= self._looks.popitem(last=False)[1].nbytes
        return ticket

    def held(self, ticket: str) -> Look:
        """The photo of a ticket.

        Raises:
            DataError: it had to make place for others.
        """
        with self._guard:
            if ticket not in self._looks:
                raise DataError("photo: made place for those of others; drop it here again")
            self._looks.move_to_end(ticket)
            return self._looks[ticket]

    def holds(self, ticket: str) -> bool:
        """Whether a photo is still kept."""
        with self._guard:
            return ticket in self._looks

    def drop(self, ticket: str | None) -> None:
        """Forget a photo; again does nothing."""
        with self._guard:
            self._looks.pop(ticket or "", None)

"""The stages of a prediction from file to file, and a meter that is read where one passes into the next."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from torch import nn

from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.stopwatch import listening

NETWORK = ("backbone", "pyramid", "sub-networks", "heads")
"""What the network's ``forward`` consists of; told by hooks on its modules."""
WRITE = "write"
OTHER = "other"
"""What lies between the stages."""
STAGES = ("decode", "preprocess", *NETWORK, "detection", "mask head", "stuff map", "merge", WRITE, OTHER)
"""In the order in which a table has them; but for the network's, told by :mod:`spatialflow.stopwatch`."""


class Meter:
    """Shares out among the stages what a reading grows by, such as time.

    What passes belongs to the innermost stage that is open, or else to ``other``, so nothing is lost or
    counted twice.

    Args:
        read: the reading, which only grows.
    """

    def __init__(self, read: Callable[[], float]) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._read = read
        self._open: list[str] = []
        self._last = read()

    def enter(self, name: str) -> None:
        """A stage begins."""
        self._charge()
        self._open.append(name)

    def leave(self) -> None:
        """The one that began last ends."""
        self._charge()
        self._open.pop()

    def stop(self) -> dict[str, float]:
        """What each stage had, those that did not occur with 0."""
        self._charge()
        return {name: self.spent[name] for name in (*STAGES, *(n for n in self.spent if n not in STAGES))}

    def _charge(self) -> None:
        now = self._read()
        self.spent[self._open[-1] if self._open else OTHER] += now - self._last
        self._last = now


@contextmanager
def measured(network: SpatialFlow, read: Callable[[], float]) -> Iterator[Meter]:
    """A meter that hears of every stage in the block, those inside the network too."""
    meter = Meter(read)
    with ExitStack() as stack:
        stack.enter_context(listening(meter))
        for name, modules in _parts(network).items():
            for module in modules:
                before = module.register_forward_pre_hook(lambda *_, name=name: meter.enter(name))
                after = module.register_forward_hook(lambda *_: meter.leave())
                stack.callback(before.remove)
                stack.callback(after.remove)
        yield meter


def _parts(network: SpatialFlow) -> dict[str, Iterable[nn.Module]]:
    """Modules whose calls make up ``forward``; none lies within another."""
    subnets = [
        layer
        for child in network.subnets.children()
        # the sub-networks are called on some levels only in part, so their layers tell
        for layer in (child if isinstance(child, nn.ModuleList) else [child])
    ]
    heads = [network.cls_predictor, network.box_predictor, network.stuff_head]
    return dict(zip(NETWORK, ([network.backbone], [network.pyramid], subnets, heads), strict=True))

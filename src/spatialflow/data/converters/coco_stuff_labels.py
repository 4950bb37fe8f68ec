"""The stuff classes of COCO, and what became of them in COCO panoptic.

The facts are those of COCO-Stuff's labels.txt (github.com/nightrome/cocostuff), which has the names and ids,
and of cocodataset.org/#panoptic-eval, which lists the classes that were merged and removed.
"""

from typing import NamedTuple

from spatialflow.categories import coco_panoptic


class StuffClass(NamedTuple):
    """One class."""

    id: int
    """Its category id in ``stuff_*.json``."""
    name: str
    panoptic: str | None
    """Name of the panoptic category it went into; None if it was removed, so that its pixels are void."""


STUFF_CLASSES = (
    StuffClass(92, "banner", "banner"),
    StuffClass(93, "blanket", "blanket"),
    StuffClass(94, "branch", "tree-merged"),
    StuffClass(95, "bridge", "bridge"),
    StuffClass(96, "building-other", "building-other-merged"),
    StuffClass(97, "bush", "tree-merged"),
    StuffClass(98, "cabinet", "cabinet-merged"),
    StuffClass(99, "cage", "fence-merged"),
    StuffClass(100, "cardboard", "cardboard"),
    StuffClass(101, "carpet", "rug-merged"),
    StuffClass(102, "ceiling-other", "ceiling-merged"),
    StuffClass(103, "ceiling-tile", "ceiling-merged"),
    StuffClass(104, "cloth", None),
    StuffClass(105, "clothes", None),
    StuffClass(106, "clouds", "sky-other-merged"),
    StuffClass(107, "counter", "counter"),
    StuffClass(108, "cupboard", "cabinet-merged"),
    StuffClass(109, "curtain", "curtain"),
    StuffClass(110, "desk-stuff", "table-merged"),
    StuffClass(111, "dirt", "dirt-merged"),
    StuffClass(112, "door-stuff", "door-stuff"),
    StuffClass(113, "fence", "fence-merged"),
    StuffClass(114, "floor-marble", "floor-other-merged"),
    StuffClass(115, "floor-other", "floor-other-merged"),
    StuffClass(116, "floor-stone", "pavement-merged"),
    StuffClass(117, "floor-tile", "floor-other-merged"),
    StuffClass(118, "floor-wood", "floor-wood"),
    StuffClass(119, "flower", "flower"),
    StuffClass(120, "fog", "sky-other-merged"),
    StuffClass(121, "food-other", "food-other-merged"),
    StuffClass(122, "fruit", "fruit"),
    StuffClass(123, "furniture-other", None),
    StuffClass(124, "grass", "grass-merged"),
    StuffClass(125, "gravel", "gravel"),
    StuffClass(126, "ground-other", None),
    StuffClass(127, "hill", "mountain-merged"),
    StuffClass(128, "house", "house"),
    StuffClass(129, "leaves", "tree-merged"),
    StuffClass(130, "light", "light"),
    StuffClass(131, "mat", "rug-merged"),
    StuffClass(132, "metal", None),
    StuffClass(133, "mirror-stuff", "mirror-stuff"),
    StuffClass(134, "moss", "grass-merged"),
    StuffClass(135, "mountain", "mountain-merged"),
    StuffClass(136, "mud", "dirt-merged"),
    StuffClass(137, "napkin", "paper-merged"),
    StuffClass(138, "net", "net"),
    StuffClass(139, "paper", "paper-merged"),
    StuffClass(140, "pavement", "pavement-merged"),
    StuffClass(141, "pillow", "pillow"),
    StuffClass(142, "plant-other", None),
    StuffClass(143, "plastic", None),
    StuffClass(144, "platform", "platform"),
    StuffClass(145, "playingfield", "playingfield"),
    StuffClass(146, "railing", "fence-merged"),
    StuffClass(147, "railroad", "railroad"),
    StuffClass(148, "river", "river"),
    StuffClass(149, "road", "road"),
    StuffClass(150, "rock", "rock-merged"),
    StuffClass(151, "roof", "roof"),
    StuffClass(152, "rug", "rug-merged"),
    StuffClass(153, "salad", "food-other-merged"),
    StuffClass(154, "sand", "sand"),
    StuffClass(155, "sea", "sea"),
    StuffClass(156, "shelf", "shelf"),
    StuffClass(157, "sky-other", "sky-other-merged"),
    StuffClass(158, "skyscraper", "building-other-merged"),
    StuffClass(159, "snow", "snow"),
    StuffClass(160, "solid-other", None),
    StuffClass(161, "stairs", "stairs"),
    StuffClass(162, "stone", "rock-merged"),
    StuffClass(163, "straw", "grass-merged"),
    StuffClass(164, "structural-other", None),
    StuffClass(165, "table", "table-merged"),
    StuffClass(166, "tent", "tent"),
    StuffClass(167, "textile-other", None),
    StuffClass(168, "towel", "towel"),
    StuffClass(169, "tree", "tree-merged"),
    StuffClass(170, "vegetable", "food-other-merged"),
    StuffClass(171, "wall-brick", "wall-brick"),
    StuffClass(172, "wall-concrete", "wall-other-merged"),
    StuffClass(173, "wall-other", "wall-other-merged"),
    StuffClass(174, "wall-panel", "wall-other-merged"),
    StuffClass(175, "wall-stone", "wall-stone"),
    StuffClass(176, "wall-tile", "wall-tile"),
    StuffClass(177, "wall-wood", "wall-wood"),
    StuffClass(178, "water-other", "water-other"),
    StuffClass(179, "waterdrops", None),
    StuffClass(180, "window-blind", "window-blind"),
    StuffClass(181, "window-other", "window-other"),
    StuffClass(182, "wood", None),
)
"""All 91."""


def panoptic_ids() -> dict[int, int]:
    """The panoptic category id of each stuff class, or 0 if it was removed, by its own id."""
    id_of = {category.name: category.id for category in coco_panoptic()}
    return {stuff.id: 0 if stuff.panoptic is None else id_of[stuff.panoptic] for stuff in STUFF_CLASSES}

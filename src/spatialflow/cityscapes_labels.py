"""The classes of Cityscapes that are evaluated.

The facts are those of ``labels.py`` of cityscapesScripts (github.com/mcordts/cityscapesScripts,
cityscapesscripts/helpers/labels.py): names, ids, train ids, groups, which classes have instances, colours.
"""

from typing import NamedTuple


class CityscapesLabel(NamedTuple):
    """One class."""

    name: str
    id: int
    """Of the pixels of ``_labelIds`` PNGs."""
    train_id: int
    group: str
    has_instances: bool
    color: tuple[int, int, int]


EVALUATED = (
    CityscapesLabel("road", 7, 0, "flat", False, (128, 64, 128)),
    CityscapesLabel("sidewalk", 8, 1, "flat", False, (244, 35, 232)),
    CityscapesLabel("building", 11, 2, "construction", False, (70, 70, 70)),
    CityscapesLabel("wall", 12, 3, "construction", False, (102, 102, 156)),
    CityscapesLabel("fence", 13, 4, "construction", False, (190, 153, 153)),
    CityscapesLabel("pole", 17, 5, "object", False, (153, 153, 153)),
    CityscapesLabel("traffic light", 19, 6, "object", False, (250, 170, 30)),
    CityscapesLabel("traffic sign", 20, 7, "object", False, (220, 220, 0)),
    CityscapesLabel("vegetation", 21, 8, "nature", False, (107, 142, 35)),
    CityscapesLabel("terrain", 22, 9, "nature", False, (152, 251, 152)),
    CityscapesLabel("sky", 23, 10, "sky", False, (70, 130, 180)),
    CityscapesLabel("person", 24, 11, "human", True, (220, 20, 60)),
    CityscapesLabel("rider", 25, 12, "human", True, (255, 0, 0)),
    CityscapesLabel("car", 26, 13, "vehicle", True, (0, 0, 142)),
    CityscapesLabel("truck", 27, 14, "vehicle", True, (0, 0, 70)),
    CityscapesLabel("bus", 28, 15, "vehicle", True, (0, 60, 100)),
    CityscapesLabel("train", 31, 16, "vehicle", True, (0, 80, 100)),
    CityscapesLabel("motorcycle", 32, 17, "vehicle", True, (0, 0, 230)),
    CityscapesLabel("bicycle", 33, 18, "vehicle", True, (119, 11, 32)),
)
"""By ascending id. The ids up to 33 that are not here are void: unlabeled (0), ego vehicle (1), rectification
border (2), out of roi (3), static (4), dynamic (5), ground (6), parking (9), rail track (10), guard rail
(14), bridge (15), tunnel (16), polegroup (18), caravan (29), trailer (30)."""
NUM_LABELS = 34
"""Ids of ``_labelIds`` PNGs are below this; the licence plate's -1 is never painted."""
INSTANCES_A_LABEL = 1000
"""An instance's id is its label's times this, plus its number."""

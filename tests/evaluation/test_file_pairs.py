from pathlib import Path

import pytest

from make_data import CAT, DOG, GRASS, ToyImage, ToySegment, edit_json, write_panoptic_set
from spatialflow.errors import DataError
from spatialflow.evaluation.file_pairs import open_pairs

SIZE = (20, 20)
TRUTH = [
    ToyImage(name, SIZE, (ToySegment(GRASS, (0, 0, 20, 20)), ToySegment(CAT, (0, 0, 10, 10))))
    for name in ("a", "b", "c")
]
WRONG = ToyImage("b", SIZE, (ToySegment(GRASS, (0, 0, 20, 20)), ToySegment(DOG, (0, 0, 10, 10))))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Truth of a, b, c; a prediction that is right but for the category of a cat in b."""
    prediction = [TRUTH[0], WRONG, TRUTH[2]]
    return write_panoptic_set(tmp_path, TRUTH, "truth"), write_panoptic_set(tmp_path, prediction, "pred")


def test_compare_tells_segments_where_count_adds_them_up(files: tuple[Path, Path]) -> None:
    pairs = open_pairs(*files)
    assert [image.file_name for image in pairs.images.values()] == ["a.png", "b.png", "c.png"]
    compared = pairs.compare(1)
    assert compared.pred_ids.shape == compared.truth_ids.shape == SIZE
    assert compared.matching.matches.truth.tolist() == [0]
    assert compared.matching.wrong_matches.pred.tolist() == [1]
    # cat, dog, grass, sky: sum of IoU, true positives, false positives, false negatives
    assert pairs.count(1).tolist() == [[0, 0, 0, 1], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]


def test_images_without_prediction_may_be_left_out(files: tuple[Path, Path]) -> None:
    edit_json(files[1], lambda content: content["annotations"].pop(0))
    with pytest.raises(DataError, match="has no prediction"):
        open_pairs(*files)
    pairs = open_pairs(*files, is_complete=False)
    assert [truth.image_id for _, truth in pairs.pairs] == [2, 3]

"""The HTML of a result."""

import base64
import html.parser
import io

import numpy as np
import torch
from PIL import Image

from spatialflow.categories import Category
from spatialflow.structures import PanopticPrediction, Segment
from spatialflow.web.result_view import encode_runs, result_html

CAT, SKY = Category(3, "cat & <b>", True, (10, 20, 30)), Category(9, "sky", False, (1, 2, 3))


def decoded(runs: str) -> list[int]:
    flat: list[int] = []
    for run in runs.split():
        value, length = run.split(",")
        flat += [int(value)] * int(length)
    return flat


def test_runs_give_the_map_back() -> None:
    ids = np.random.default_rng(0).integers(0, 3, (7, 9)).astype(np.int32)
    assert decoded(encode_runs(ids)) == ids.ravel().tolist()
    assert encode_runs(np.zeros((2, 2), np.int32)) == "0,4"
    assert encode_runs(np.array([[-1, 0]], np.int32)) == "-1,1 0,1"


class Reader(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.figure: dict[str, str | None] = {}
        self.source = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag == "tr" and "data-segment" in named:
            self.rows.append([str(named["data-segment"]), str(named["data-kind"])])
        if tag == "img":
            self.source = str(named["src"])
        if named.get("class") == "sf-figure":
            self.figure = named

    def handle_data(self, data: str) -> None:
        if self.rows and data.strip():
            self.rows[-1].append(data.strip())


def prediction(height: int = 4, width: int = 6) -> PanopticPrediction:
    ids = torch.zeros(height, width, dtype=torch.int32)
    ids[0] = 1
    ids[1:3] = 2
    segments = (
        Segment(1, 1, SKY, False, 0.9, width, (0, 0, width, 1)),
        Segment(2, 0, CAT, True, 0.5, 2 * width, (0, 1, width, 3)),
    )
    return PanopticPrediction(ids, segments)


def test_table_lists_things_first_with_score_and_area() -> None:
    read = Reader(result_html(np.zeros((4, 6, 3), np.uint8), prediction()))
    assert read.rows == [
        ["2", "thing", "cat & <b>", "0.50", "12 px", "50\u202f%"],
        ["1", "stuff", "sky", "0.90", "6 px", "25\u202f%"],
    ]
    width, height = (int(str(read.figure[f"data-{side}"])) for side in ("width", "height"))
    ids = np.array(decoded(str(read.figure["data-runs"]))).reshape(height, width)
    assert width % 6 == 0  # enlarged with the picture
    assert (width // 6) * 4 == height
    factor = width // 6
    assert ids[factor // 2 :: factor, factor // 2 :: factor].tolist() == [[1] * 6, [2] * 6, [2] * 6, [0] * 6]


def test_a_large_photo_is_shown_smaller() -> None:
    read = Reader(result_html(np.zeros((1280, 2560, 3), np.uint8), prediction(1280, 2560)))
    assert (read.figure["data-width"], read.figure["data-height"]) == ("1280", "640")
    shown = base64.b64decode(read.source.removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(shown)).size == (1280, 640)
    assert decoded(str(read.figure["data-runs"])).count(2) == 1280


def test_nothing_found_is_said() -> None:
    empty = PanopticPrediction(torch.zeros(4, 6, dtype=torch.int32), ())
    assert "Nothing above these thresholds" in result_html(np.zeros((4, 6, 3), np.uint8), empty)

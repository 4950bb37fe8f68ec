import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from html_page import Page
from spatialflow.data.synthetic import CATEGORIES
from spatialflow.demo.chart import line_chart, thin_out
from spatialflow.demo.report import write_report
from spatialflow.errors import OutputError
from spatialflow.evaluation.pq_result import PQResult


@pytest.fixture
def result():
    counts = np.zeros((len(CATEGORIES), 4))
    counts[0] = 6.0, 8, 2, 2  # square: SQ 0.75, RQ 0.8, PQ 0.6
    counts[5] = 9.0, 10, 0, 0  # stripes: 0.9
    return PQResult.from_counts(counts, CATEGORIES)


@pytest.fixture
def pictures():
    colors = ("red", "lime", "blue")
    return tuple(Image.new("RGB", (32, 24), color) for color in colors)


@pytest.fixture
def write(tmp_path, result, pictures):
    def call(**changed):
        path = tmp_path / "sub" / "report.html"
        content = {
            "title": "A <demo> & more",
            "facts": {"Training": "1,200 steps", "Seed": "<0>"},
            "result": result,
            "categories": CATEGORIES,
            "curve": [(0, {"cls": 2.0, "box": 1.5}), (50, {"cls": 1.0, "box": 0.5}), (100, {"cls": 0.25})],
            "val_curve": [(50, 0.31), (100, 0.725)],
            "rows": [(*pictures, 'three "things"'), (*pictures, "none")],
        }
        write_report(path, **(content | changed))
        return path

    return call


def test_page_is_valid_and_needs_nothing_else(write):
    path = write()
    page = Page(path.read_text())
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    assert "A <demo> & more" in page.text
    assert "<0>" in page.text
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe"}
    sources = [a[k] for _, a in page.tags for k in ("src", "href") if k in a]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert "http" not in path.read_text()
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags
    assert ("html", {"lang": "en"}) in page.tags
    assert "prefers-color-scheme: dark" in path.read_text()


def test_tables_hold_the_numbers(write):
    rows = Page(write().read_text()).rows
    # by hand: PQ of all = mean(0.6, 0.9), SQ = mean(0.75, 0.9), RQ = mean(0.8, 1)
    assert ["All", "75.0", "82.5", "90.0", "2"] in rows
    assert ["Things", "60.0", "75.0", "80.0", "1"] in rows
    assert ["Stuff", "90.0", "90.0", "100.0", "1"] in rows
    assert ["square", "thing", "60.0", "75.0", "80.0", "8", "2", "2"] in rows
    assert ["ring", "thing", "-", "-", "-", "0", "0", "0"] in rows
    assert len(rows) == 4 + 1 + len(CATEGORIES)


def test_pictures_decode_and_have_alternative_texts(write, pictures):
    images = [a for tag, a in Page(write().read_text()).tags if tag == "img"]
    assert len(images) == 6
    for image, source in zip(images, pictures * 2, strict=True):
        kind, encoded = image["src"].split(",", 1)
        assert kind == "data:image/jpeg;base64"
        decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded)))).astype(int)
        assert decoded.shape == (24, 32, 3)
        assert np.abs(decoded - np.asarray(source)).max() <= 4
    assert [a["alt"] for a in images[:3]] == [
        f'{n} 1: three "things"' for n in ("photo", "truth", "prediction")
    ]


def test_without_pictures_or_curves(write):
    page = Page(write(rows=[], curve=[], val_curve=[]).read_text())
    assert "img" not in {tag for tag, _ in page.tags}
    assert "Training" in page.text  # the fact; the section is gone
    assert [tag for tag, _ in page.tags].count("section") == 3


def test_a_page_that_cannot_be_written(write, tmp_path):
    (tmp_path / "sub").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        write()


def test_a_failure_leaves_the_old_page(write, pictures):
    path = write()
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        write(rows=[(*pictures[:2], None, "broken")])
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def polylines(svg: str) -> list[list[tuple[float, float]]]:
    found = [a["points"] for tag, a in Page(svg).tags if tag == "polyline"]
    return [[tuple(map(float, p.split(","))) for p in points.split()] for points in found]


def test_chart_puts_points_where_the_axes_say():
    svg = line_chart({"a": [(0, 0), (50, 5), (100, 10)]}, x_name="step", description="up")
    labels = {}
    texts = Page(svg.replace("</text>", "|</text>")).text.split("|")
    positions = [a for tag, a in Page(svg).tags if tag == "text"]
    for text, a in zip(texts, positions, strict=False):
        labels[(text.strip(), a["text-anchor"])] = float(a["x"]), float(a["y"])
    (points,) = polylines(svg)
    assert points[0][0] == pytest.approx(labels[("0", "middle")][0], abs=0.1)
    assert points[2][0] == pytest.approx(labels[("100", "middle")][0], abs=0.1)
    assert points[0][1] == pytest.approx(labels[("0", "end")][1] - 5, abs=0.1)
    assert points[2][1] == pytest.approx(labels[("10", "end")][1] - 5, abs=0.1)
    assert points[1] == pytest.approx(((points[0][0] + points[2][0]) / 2, (points[0][1] + points[2][1]) / 2))


def test_chart_keeps_inside_its_box_and_skips_what_is_not_finite():
    lines = {f"loss {i}": [(x, 10.0**-i * x) for x in range(9)] for i in range(8)}
    lines["bad"] = [(0, math.nan), (1, 2), (2, math.inf)]
    svg = line_chart(lines, x_name="<x>", description='"quoted"', top=5)
    drawn = polylines(svg)
    assert len(drawn) == 9
    assert len(drawn[-1]) == 1
    assert all(0 <= x <= 640 and 0 <= y <= 300 for line in drawn for x, y in line)
    assert Page(svg).text.count("loss") == 8, "every line is in the legend"


@pytest.mark.parametrize("lines", [{}, {"a": []}, {"a": [(0, 0)]}, {"a": [(7, 1e-9)]}])
def test_chart_of_next_to_nothing(lines):
    Page(line_chart(lines, x_name="step", description="empty"))


def test_thinning_takes_means_of_neighbours():
    assert thin_out([(1, 1.0), (2, 3.0), (3, 5.0), (4, 9.0), (5, 4.0)], 3) == [
        (1.5, 2.0),
        (3.5, 7.0),
        (5.0, 4.0),
    ]
    assert thin_out([(1, 1.0), (2, 3.0)], 120) == [(1.0, 1.0), (2.0, 3.0)]
    assert thin_out([]) == []

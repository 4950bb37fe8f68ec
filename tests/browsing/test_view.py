"""The whole of ``view_dataset``: files, order, links, and what happens to images that cannot be read."""

import json
import time
from pathlib import Path

import pytest
from PIL import Image

from html_page import Page
from make_data import CATEGORIES, ToyImage, edit_json, pack_folder, write_panoptic_set
from make_view import PREDICTION, check_pages, files_in, read_list, write_pair
from spatialflow.browsing import view_dataset
from spatialflow.errors import DataError, OutputError
from spatialflow.evaluation.panoptic_quality import evaluate_pq


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_pair(tmp_path)


def only(path: Path, file_name: str) -> Path:
    """A copy of an annotation file with a single image."""
    content = json.loads(path.read_text())
    content["images"] = [i for i in content["images"] if i["file_name"] == file_name]
    ids = [image["id"] for image in content["images"]]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in ids]
    copy = path.with_name("only.json")
    copy.write_text(json.dumps(content))
    return copy


def test_pages_of_a_data_set(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    calls: list[tuple[int, int]] = []
    out = tmp_path / "out"
    result = view_dataset(pair[0], out, on_drawn=lambda done, total: calls.append((done, total)))
    assert (result.index, result.drawn, result.total, result.failed) == (out / "index.html", 3, 3, ())
    assert result.quality is None
    assert calls == [(1, 3), (2, 3), (3, 3)]
    pages = check_pages(out)
    assert pages.keys() == {
        "index.html",
        "pages/1-right.html",
        "pages/2-mistaken.html",
        "pages/3-crowded.html",
    }
    stems = ("1-right", "2-mistaken", "3-crowded")
    pictures = {f"{s}-{w}{size}.jpg" for s in stems for w in ("photo", "truth") for size in ("", "-small")}
    assert {path.name for path in (out / "pictures").iterdir()} == pictures
    assert files_in(out) - pages.keys() == {
        *(f"pictures/{name}" for name in pictures),
        "view.json",
        "assets/view.css",
        "assets/view.js",
    }
    assert ["sky", "stuff", "1", "\u2013", "25.0"] in pages["pages/2-mistaken.html"].rows
    assert ["cat", "thing", "0", "1", "25.0"] in pages["pages/3-crowded.html"].rows
    assert "50.0 % void" in pages["pages/3-crowded.html"].text
    with Image.open(out / "pictures" / "1-right-truth.jpg") as picture:
        assert picture.size == (600, 400)
    with Image.open(out / "pictures" / "1-right-truth-small.jpg") as picture:
        assert picture.size == (400, 267)


def test_predictions_come_worst_first_with_the_quality_of_each(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    out = tmp_path / "out"
    scored: list[tuple[int, int]] = []
    result = view_dataset(
        pair[0], out, predictions=pair[1], on_scored=lambda done, total: scored.append((done, total))
    )
    assert result.quality == evaluate_pq(*pair)
    assert result.scored == 3
    assert scored == [(1, 3), (2, 3), (3, 3)]
    entries = read_list(out)
    assert [entry["file_name"] for entry in entries] == ["mistaken.png", "right.png", "crowded.png"]
    for entry in entries:
        alone = only(pair[0], entry["file_name"])
        expected = evaluate_pq(alone, pair[1], pair[0].with_suffix(""))
        assert entry["pq"] == expected.all.pq
        page = check_pages(out)[entry["files"][0]]
        assert f"PQ {100 * expected.all.pq:.1f}" in page.text
    assert entries[0]["mistakes"] == {"wrong": {"cat as dog": 1}, "false": {"cat": 1}, "missed": {"dog": 1}}
    text = check_pages(out)["index.html"].text
    assert "1 wrong match: cat as dog" in text
    assert "1 false positive: cat" in text
    assert "1 miss: dog" in text
    assert f"PQ {100 * result.quality.all.pq:.1f}" in text
    page = check_pages(out)["pages/1-mistaken.html"]
    # cat: in the truth once, predicted once, no match, a miss and a false positive
    assert ["cat", "thing", "1", "\u2013", "16.7", "1", "1.5", "0", "1", "1", "0.0"] in page.rows
    assert (out / "pictures" / "1-mistaken-mistakes.jpg").is_file()


def test_limit_takes_the_first_or_the_worst(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    view_dataset(pair[0], tmp_path / "out", limit=2)
    assert [entry["file_name"] for entry in read_list(tmp_path / "out")] == ["right.png", "mistaken.png"]
    result = view_dataset(pair[0], tmp_path / "out", limit=1, predictions=pair[1])
    assert [entry["file_name"] for entry in read_list(tmp_path / "out")] == ["mistaken.png"]
    assert (result.drawn, result.total, result.scored) == (1, 3, 3)
    assert result.quality == evaluate_pq(*pair), "the quality is that of all"
    assert "the worst 1 of them" in check_pages(tmp_path / "out")["index.html"].text
    with pytest.raises(ValueError, match="limit"):
        view_dataset(pair[0], tmp_path / "out", limit=0)


def test_images_with_nothing_to_score_come_last(tmp_path: Path) -> None:
    empty = ToyImage("empty", (40, 60), ())
    truth = write_panoptic_set(tmp_path / "data", (empty, PREDICTION[0]))
    prediction = write_panoptic_set(tmp_path / "result", (empty, PREDICTION[0]), "pred")
    view_dataset(truth, tmp_path / "out", predictions=prediction)
    assert [(e["file_name"], e["pq"]) for e in read_list(tmp_path / "out")] == [
        ("right.png", 1.0),
        ("empty.png", None),
    ]
    assert "PQ \u2013" in check_pages(tmp_path / "out")["pages/2-empty.html"].text


def test_images_that_cannot_be_read_are_listed(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    photo = pair[0].parent.parent / "images" / "mistaken.png"
    photo.write_bytes(photo.read_bytes()[:-300])
    for predictions in (None, pair[1]):
        out = tmp_path / f"out{predictions is None}"
        result = view_dataset(pair[0], out, predictions=predictions)
        assert (result.drawn, len(result.failed)) == (2, 1)
        assert "mistaken.png: cannot be decoded" in result.failed[0]
        pages = check_pages(out)
        (entry,) = (e for e in read_list(out) if "error" in e)
        assert entry["file_name"] == "mistaken.png"
        assert "mistaken.png: cannot be decoded" in pages[entry["files"][0]].text
        assert "1 image could not be drawn" in pages["index.html"].text
        assert not any("mistaken" in path.name for path in (out / "pictures").iterdir())


def test_predictions_that_cannot_be_scored_come_after_the_limit(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    (pair[1].with_suffix("") / "mistaken.png").unlink()
    result = view_dataset(pair[0], tmp_path / "out", limit=1, predictions=pair[1])
    assert [entry["file_name"] for entry in read_list(tmp_path / "out")] == ["right.png", "mistaken.png"]
    assert (result.drawn, result.scored) == (1, 2)
    assert "no such panoptic PNG" in result.failed[0]


def test_images_without_a_prediction_are_left_out(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    edit_json(pair[1], lambda content: content["annotations"].pop(0))
    result = view_dataset(pair[0], tmp_path / "out", predictions=pair[1])
    assert result.total == 2
    edit_json(pair[1], lambda content: content["annotations"].clear())
    with pytest.raises(DataError, match="has no prediction of any image"):
        view_dataset(pair[0], tmp_path / "other", predictions=pair[1])
    assert not (tmp_path / "other").exists()


def test_images_without_annotation_are_shown_as_they_are(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    edit_json(pair[0], lambda content: content["annotations"].pop(0))
    view_dataset(pair[0], tmp_path / "out")
    pictures = {path.name for path in (tmp_path / "out" / "pictures").glob("1-right*")}
    assert pictures == {"1-right-photo.jpg", "1-right-photo-small.jpg"}
    assert "This image has no annotation." in check_pages(tmp_path / "out")["pages/1-right.html"].text


HOSTILE = [
    "a photo with spaces",
    'sub/folder/it\'s "quoted" & <b>',
    "猫 ünïcode 🐱",
    "100%25 #1?",
    "<script>alert(1)</script>".replace("/", "\u2215"),
    "\u202egnp",
    "x" * 200,
    "-",
]


def test_hostile_names_change_no_page(tmp_path: Path) -> None:
    categories = [dict(category) for category in CATEGORIES]
    categories[0]["name"] = "</script><script>alert('cat')</script>"
    categories[3]["name"] = 'sky" onload="alert(1)\n\ud800'
    images = tuple(ToyImage(name) for name in HOSTILE)
    path = write_panoptic_set(tmp_path / "a 'b' & c", images, categories=categories)
    prediction = write_panoptic_set(tmp_path / "pred", images, "pred", categories)
    out = tmp_path / "out <i>"
    for predictions in (None, prediction):
        view_dataset(path, out, predictions=predictions)
        pages = check_pages(out)
        assert len(pages) == len(HOSTILE) + 1
        for page in pages.values():
            scripts = [a["src"] for tag, a in page.tags if tag == "script"]
            assert len(scripts) == 1
            assert str(scripts[0]).endswith("assets/view.js")
            assert not any(key.startswith("on") for _, a in page.tags for key in a)
            assert "b" not in {tag for tag, _ in page.tags}
        index = pages["index.html"]
        alternatives = {a["alt"] for page in pages.values() for tag, a in page.tags if tag == "img"}
        assert {f"truth of {name}.png" for name in HOSTILE} < alternatives
        for name in HOSTILE:
            assert f"{name}.png" in index.text
        assert "</script><script>alert('cat')</script>" in index.text
    assert all(all(c.isascii() for c in name) and " " not in name for name in files_in(out))


def test_earlier_pages_are_replaced_and_nothing_else(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    view_dataset(pair[0], out)
    (out / "notes.txt").write_text("mine")
    (out / "pictures" / "mine.jpg").write_text("mine")
    view_dataset(pair[0], out, limit=1)
    check_pages(out)
    assert {p for p in files_in(out) if p.startswith(("pages", "pictures"))} == {
        "pages/1-right.html",
        "pictures/mine.jpg",
        *(f"pictures/1-right-{w}{s}.jpg" for w in ("photo", "truth") for s in ("", "-small")),
    }
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["index.html", "view.json", "assets/view.css", "pages/1-right.html"])
def test_foreign_files_are_not_replaced(tmp_path: Path, pair: tuple[Path, Path], name: str) -> None:
    foreign = tmp_path / "out" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text("{}")
    drawn: list[int] = []
    with pytest.raises(OutputError, match="is not replaced"):
        view_dataset(pair[0], tmp_path / "out", on_drawn=lambda done, total: drawn.append(done))
    assert bool(drawn) == name.startswith("pages"), "what is known before the work is said before it"
    assert files_in(tmp_path / "out") == {name}
    assert foreign.read_text() == "{}"


def test_a_failure_leaves_the_earlier_pages(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    view_dataset(pair[0], out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        view_dataset(pair[0], out, on_drawn=stop)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with pytest.raises(KeyboardInterrupt):
        view_dataset(pair[0], tmp_path / "new", on_drawn=stop)
    assert not (tmp_path / "new").exists()
    for photo in (pair[0].parent.parent / "images").iterdir():
        photo.write_text("no photo")
    with pytest.raises(DataError, match=r"none of 3 images can be drawn; the first: .*right\.png"):
        view_dataset(pair[0], out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_folders_that_are_named_and_not_there(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    none = tmp_path / "none"
    for options, message in (
        ({"images": none}, "no such folder of photos"),
        ({"segments": none}, "no such folder of panoptic PNGs"),
        ({"predictions": none}, "no such file"),
        ({"predictions": pair[1], "predictions_dir": none}, "no such folder of panoptic PNGs"),
    ):
        with pytest.raises(DataError, match=message):
            view_dataset(pair[0], tmp_path / "out", **options)
    moved = pair[0].parent.parent / "elsewhere"
    (pair[0].parent.parent / "images").rename(moved)
    with pytest.raises(DataError, match=r"is in none of .*--images"):
        view_dataset(pair[0], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert view_dataset(pair[0], tmp_path / "out", images=moved).drawn == 3


def test_the_photos_are_where_most_of_them_are(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    (pair[0].parent.parent / "images" / "right.png").unlink()
    result = view_dataset(pair[0], tmp_path / "out")
    assert (result.drawn, len(result.failed)) == (2, 1)


def test_archives_are_shown_like_folders(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    view_dataset(pair[0], tmp_path / "folders", predictions=pair[1])
    for path in pair:
        pack_folder(path.with_suffix(""), path.with_suffix(".zip"))
    pack_folder(pair[0].parents[1] / "images", pair[0].parents[1] / "images.zip")
    view_dataset(pair[0], tmp_path / "archives", predictions=pair[1])
    first, second = (
        {p: (tmp_path / name / p).read_bytes() for p in files_in(tmp_path / name)}
        for name in ("folders", "archives")
    )
    assert first == second


def test_no_thread_writes_after_a_failure(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage(f"{number}", (200, 200)) for number in range(60)])

    def stop(done: int, total: int) -> None:
        raise OutputError("full")

    with pytest.raises(OutputError, match="full") as caught:
        view_dataset(path, tmp_path / "out", on_drawn=stop, workers=4)
    time.sleep(0.5)
    assert not (tmp_path / "out").exists()
    del caught


def test_workers_change_nothing(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    folders = [tmp_path / f"out{workers}" for workers in (1, 5)]
    for folder, workers in zip(folders, (1, 5), strict=True):
        view_dataset(pair[0], folder, predictions=pair[1], workers=workers)
    first, second = ({p: (folder / p).read_bytes() for p in files_in(folder)} for folder in folders)
    assert first == second


def test_neighbours_are_linked(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    view_dataset(pair[0], tmp_path / "out")
    pages = check_pages(tmp_path / "out")

    def related(page: Page) -> dict[str, str]:
        return {str(a["rel"]): str(a["href"]) for tag, a in page.tags if tag == "a" and "rel" in a}

    assert related(pages["pages/1-right.html"]) == {"up": "../index.html", "next": "../pages/2-mistaken.html"}
    assert related(pages["pages/2-mistaken.html"]) == {
        "prev": "../pages/1-right.html",
        "up": "../index.html",
        "next": "../pages/3-crowded.html",
    }


def test_coco_photos(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "coco" / "annotations" / "panoptic_mini_val.json"
    result = view_dataset(path, tmp_path / "out", limit=4)
    assert (result.drawn, result.total) == (4, 25)
    check_pages(tmp_path / "out")

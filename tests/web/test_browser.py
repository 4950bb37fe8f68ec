"""The page as a visitor sees it: a real Chromium, without a network but to the page itself."""

import base64
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_cli import Command
from make_video import write_clip
from make_web import BROWSER_ARGUMENTS, Site, draw_photos, find_browser, serve_tiny
from spatialflow.checkpoints import load_model
from spatialflow.image_io import read_photo
from spatialflow.inference import Predictor

pytestmark = pytest.mark.slow

DESK, PHONE = (1280, 900), (390, 844)
PATIENCE = 30_000
"""Milliseconds."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    program = find_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(chromium: Any) -> Iterator[Site]:
    from spatialflow.web.limits import Limits

    with serve_tiny(limits=Limits(upload_mb=1, megapixels=2, clip_seconds=2)) as served:
        yield served


class Visit:
    """A page in the browser, and the addresses it asked for."""

    def __init__(self, chromium: Any, site: Site, size: tuple[int, int]) -> None:
        is_phone = size == PHONE
        self.context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, has_touch=is_phone, is_mobile=is_phone
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.asked: list[str] = []
        self.broken: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        self.page.goto(site.url)
        self.page.wait_for_selector("#result .sf-empty")

    def drop(self, photo: Path) -> None:
        self.page.locator("#photo input[type=file]").set_input_files(photo)

    def paste(self, photo: Path) -> None:
        """As Ctrl+V does, when a picture has been copied."""
        self.page.evaluate(
            """([content, name]) => {
              const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
              const clipboardData = new DataTransfer();
              clipboardData.items.add(new File([bytes], name, {type: "image/jpeg"}));
              document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true}));
            }""",
            [base64.b64encode(photo.read_bytes()).decode(), photo.name],
        )

    def rows(self) -> list[list[str]]:
        """Class, score and area of the table."""
        rows = self.page.locator("#result tr[data-segment]")
        return [row.locator("td").all_inner_texts() for row in rows.all()]

    def wait_for_result(self) -> None:
        self.page.wait_for_selector("#result .sf-table")
        self.page.wait_for_selector("#get-png:not([disabled])")

    def set_threshold(self, name: str, value: float) -> None:
        """Type it into the slider's field, and wait for another table and for the files, which come last."""
        field = self.page.locator(f"#{name} input[type=number]")
        table = "document.querySelector('#result .sf-table')?.innerText"
        before = self.page.evaluate(table)
        field.fill(str(value))
        field.press("Tab")
        self.page.wait_for_function(f"before => ![before, undefined].includes({table})", arg=before)
        self.page.wait_for_selector("#get-png:not([disabled])")

    def fetch(self, button: str, out: Path) -> Path:
        with self.page.expect_download() as download:
            self.page.locator(f"#{button}").click()
        path = out / download.value.suggested_filename
        download.value.save_as(path)
        return path


@pytest.fixture
def desk(chromium: Any, site: Site) -> Iterator[Visit]:
    visit = Visit(chromium, site, DESK)
    yield visit
    visit.context.close()
    assert not visit.broken


@pytest.fixture
def phone(chromium: Any, site: Site) -> Iterator[Visit]:
    visit = Visit(chromium, site, PHONE)
    yield visit
    visit.context.close()
    assert not visit.broken


def expected_rows(photo: Path) -> list[tuple[str, str, int]]:
    """What the page's table should say, from Python."""
    prediction = Predictor(load_model("tiny"), "cpu", "fp32").predict(photo)
    found = sorted(prediction.segments, key=lambda s: (not s.is_thing, -s.score if s.is_thing else -s.area))
    return [(s.category.name, f"{s.score:.2f}", s.area) for s in found]


def test_a_photo_is_segmented_and_its_files_are_those_of_the_command(
    desk: Visit, photos: list[Path], spatialflow: Command, tmp_path: Path
) -> None:
    desk.drop(photos[0])
    desk.wait_for_result()
    shown = [
        (name.strip(), score, int(area.split()[0].replace(",", ""))) for name, score, area in desk.rows()
    ]
    assert shown == expected_rows(photos[0])
    picture = "document.querySelector('#result img')"
    assert desk.page.evaluate(f"{picture}.complete && {picture}.naturalWidth > 0")
    spatialflow("predict", photos[0], "-c", "tiny", "--out", tmp_path / "cli", "--device", "cpu")
    stem = photos[0].stem
    png, overlay = (desk.fetch(f"get-{kind}", tmp_path) for kind in ("png", "overlay"))
    assert (png.name, overlay.name) == (f"{stem}.png", f"{stem}.jpg")
    assert png.read_bytes() == (tmp_path / "cli" / "panoptic" / png.name).read_bytes()
    assert overlay.read_bytes() == (tmp_path / "cli" / "overlay" / overlay.name).read_bytes()
    fetched = desk.fetch("get-json", tmp_path)
    assert fetched.name == "panoptic.json"
    expected = json.loads((tmp_path / "cli" / "panoptic.json").read_text())
    del expected["run"]  # for --resume
    assert json.loads(fetched.read_text()) == expected
    foreign = [url for url in desk.asked if not url.startswith((desk.page.url, "data:", "blob:"))]
    assert foreign == []


def test_thresholds_change_the_result_of_an_example_without_the_network(
    desk: Visit, site: Site, tmp_path: Path
) -> None:
    desk.page.locator(".gallery-item, .gallery button").first.click()
    desk.wait_for_result()
    before, passes = desk.rows(), len(site.passes)
    desk.set_threshold("confidence", 0.9)
    strict = desk.rows()
    assert len(strict) < len(before)
    listed = json.loads(desk.fetch("get-json", tmp_path).read_text())["annotations"][0]["segments_info"]
    assert len(listed) == len(strict)
    assert all(segment["score"] >= 0.9 for segment in listed if segment["isthing"])
    desk.set_threshold("confidence", 0.05)
    lax = desk.rows()
    assert len(lax) > len(strict)
    desk.set_threshold("overlap", 1)
    assert len(desk.rows()) > len(lax)
    assert len(site.passes) == passes


def test_a_threshold_that_moves_while_the_network_runs_counts(
    desk: Visit, site: Site, photos: list[Path]
) -> None:
    passes = len(site.passes)
    with site.gate:
        desk.drop(photos[5])
        while len(site.passes) == passes:
            desk.page.wait_for_timeout(50)
        field = desk.page.locator("#confidence input[type=number]")
        field.fill("0.95")
        field.press("Tab")
        desk.page.wait_for_timeout(500)  # the page sends it
    desk.wait_for_result()
    listed = desk.page.locator("#result tr[data-kind=thing] td:nth-child(2)").all_inner_texts()
    prediction = Predictor(load_model("tiny"), "cpu", "fp32").predict(photos[5])
    scores = [segment.score for segment in prediction.segments if segment.is_thing]
    assert len(listed) == sum(score >= 0.95 for score in scores) < len(scores)


def tip(visit: Visit) -> str:
    text: str = visit.page.locator("#result .sf-tip").inner_text()
    return " ".join(text.split())


def inside(photo: Path) -> tuple[str, str, int, dict[str, float]]:
    """Class, score and area of the largest thing, and a place in it as shares of width and height."""
    prediction = Predictor(load_model("tiny"), "cpu", "fp32").predict(photo)
    largest = max((s for s in prediction.segments if s.is_thing), key=lambda s: s.area)
    rows, columns = np.nonzero(prediction.mask(largest).numpy())
    middle = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
    height, width = read_photo(photo).shape[:2]
    place = {"x": (columns[middle] + 0.5) / width, "y": (rows[middle] + 0.5) / height}
    return largest.category.name, f"{largest.score:.2f}", largest.area, place


def test_pointing_names_a_segment(desk: Visit, photos: list[Path]) -> None:
    name, score, area, place = inside(photos[5])
    desk.paste(photos[5])
    desk.wait_for_result()
    figure = desk.page.locator("#result .sf-figure")
    assert desk.page.locator("#result .sf-tip").is_hidden()
    box = figure.bounding_box()
    figure.hover(position={"x": place["x"] * box["width"], "y": place["y"] * box["height"]})
    assert tip(desk).startswith(f"{name} thing score {score} · {area:,} px")
    marked = desk.page.locator("#result tr.sf-on")
    assert marked.count() == 1
    assert name in marked.inner_text()
    figure.click()  # stays, until it is let go
    desk.page.locator("h1").hover()
    assert desk.page.locator("#result .sf-tip").is_visible()
    desk.page.keyboard.press("Escape")
    assert desk.page.locator("#result .sf-tip").is_hidden()
    row = desk.page.locator("#result tr[data-kind=stuff]").first
    row.hover()
    assert row.locator(".sf-class").inner_text() + " stuff" in tip(desk)
    first = desk.rows()
    desk.paste(photos[0])  # in the place of the one that is there
    desk.page.wait_for_selector("#get-png[disabled]")
    desk.wait_for_result()
    assert desk.rows() != first


def test_a_phone_has_all_within_its_width(phone: Visit, photos: list[Path]) -> None:
    name, score, _, place = inside(photos[5])
    assert phone.page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    phone.drop(photos[5])
    phone.wait_for_result()
    assert phone.page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    figure = phone.page.locator("#result .sf-figure")
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    figure.tap(position={"x": place["x"] * box["width"], "y": place["y"] * box["height"]})
    assert tip(phone).startswith(f"{name} thing score {score}")
    for place_of in ("#result .sf-tip", "#confidence", "#overlap", "#get-png", "#get-json", "#get-overlay"):
        at = phone.page.locator(place_of).bounding_box()
        assert at["x"] >= 0
        assert at["x"] + at["width"] <= PHONE[0], place_of
    phone.set_threshold("confidence", 0.9)
    assert phone.rows()


def test_a_bad_file_is_told_in_the_place_of_a_result(desk: Visit, photos: list[Path], tmp_path: Path) -> None:
    desk.drop(photos[1])
    desk.wait_for_result()
    (tmp_path / "bad.jpg").write_text("no photo")
    desk.page.get_by_label("Remove Image").first.click()
    desk.page.wait_for_selector("#result .sf-empty")
    desk.drop(tmp_path / "bad.jpg")
    desk.page.wait_for_selector("#result .sf-refused")
    assert "bad.jpg: is not an image that can be read" in desk.page.locator("#result").inner_text()
    assert desk.page.locator("#get-png").is_disabled()
    assert str(tmp_path) not in desk.page.content()
    desk.page.get_by_label("Remove Image").first.click()
    (tmp_path / "large.jpg").write_bytes(bytes(1_100_000))
    desk.drop(tmp_path / "large.jpg")
    told = desk.page.get_by_text(re.compile(r"exceed the maximum allowed size of 1\.0 Mb"))
    told.wait_for()
    desk.drop(photos[1])
    desk.wait_for_result()


def test_a_clip_plays_segmented(desk: Visit, site: Site, photos: list[Path], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [read_photo(photos[0])] * 5, Fraction(5))
    passes = len(site.passes)
    desk.page.get_by_role("tab", name="Clip").click()
    desk.page.locator("#clip input[type=file]").set_input_files(clip)
    desk.page.locator("#start-clip").click()
    desk.page.wait_for_selector("#clip-result video")
    desk.page.wait_for_function("document.querySelector('#clip-result video').readyState >= 2")
    assert len(site.passes) == passes + 5
    archive = desk.fetch("get-clip-frames", tmp_path)
    assert archive.name == "clip.zip"
    import zipfile

    with zipfile.ZipFile(archive) as zipped:
        assert len(json.loads(zipped.read("panoptic.json"))["annotations"]) == 5
        assert sum(name.endswith(".png") for name in zipped.namelist()) == 5
    long = write_clip(tmp_path / "long.mp4", [read_photo(photos[0])] * 3, Fraction(1))
    desk.page.reload()
    desk.page.get_by_role("tab", name="Clip").click()
    desk.page.locator("#clip input[type=file]").set_input_files(long)
    desk.page.locator("#start-clip").click()
    desk.page.get_by_text("long.mp4: is 3 seconds long and this server takes 2; cut it").wait_for()

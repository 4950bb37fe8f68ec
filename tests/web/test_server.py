"""The page over HTTP and by gradio_client: the endpoint, what is refused, and many at once."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from make_cli import Command
from make_web import Site, draw_photos, serve_tiny, write_huge_header

QUEUE = 10
UPLOAD_MB, MEGAPIXELS = 1, 2


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    first, second, *_ = draw_photos(folder, 2)
    turned = folder / "turned.jpg"  # by its EXIF orientation
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(second).save(turned, quality=95, exif=exif)
    grey = folder / "grey16.png"
    wide = Image.open(second).convert("L").convert("I")
    wide.point(lambda v: v * 257).convert("I;16").save(grey)
    return [first, turned, grey]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, photos: list[Path]) -> Iterator[Site]:
    from spatialflow.web.limits import Limits

    limits = Limits(upload_mb=UPLOAD_MB, megapixels=MEGAPIXELS, queue=QUEUE)
    with serve_tiny(examples=photos[0].parent, limits=limits) as served:
        yield served
    assert not served.folder.exists()


@pytest.fixture(scope="module")
def client(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from gradio_client import Client

    return Client(site.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def call(client: Any, photo: Path | str | None, **thresholds: float) -> Any:
    from gradio_client import handle_file

    given = None if photo is None else handle_file(photo)
    return client.predict(photo=given, **thresholds, api_name="/predict")


@pytest.mark.parametrize("index", range(3))
def test_endpoint_gives_what_the_command_writes(
    client: Any, photos: list[Path], index: int, spatialflow: Command, tmp_path: Path
) -> None:
    photo = photos[index]
    assert spatialflow("predict", photo, "-c", "tiny", "--out", tmp_path, "--device", "cpu").code == 0
    segments, png, json_file, overlay = call(client, photo)
    expected = json.loads((tmp_path / "panoptic.json").read_text())
    del expected["run"]  # for --resume
    assert json.loads(Path(json_file).read_text()) == expected
    assert Path(png).read_bytes() == (tmp_path / "panoptic" / f"{photo.stem}.png").read_bytes()
    assert Path(overlay).read_bytes() == (tmp_path / "overlay" / f"{photo.stem}.jpg").read_bytes()
    names = {c["id"]: c["name"] for c in expected["categories"]}
    listed = expected["annotations"][0]["segments_info"]
    assert segments["segments"] == [{**s, "category": names[s["category_id"]]} for s in listed]
    assert [segments["height"], segments["width"]] == [expected["images"][0][k] for k in ("height", "width")]


def test_thresholds_of_the_endpoint(client: Any, photos: list[Path]) -> None:
    few = call(client, photos[0], confidence=0.9)[0]["segments"]
    many = call(client, photos[0], confidence=0.05, overlap=1.0)[0]["segments"]
    assert all(s["score"] >= 0.9 for s in few if s["isthing"])
    assert len(many) > len(few)


def test_only_the_endpoint_is_public(client: Any) -> None:
    api = client.view_api(return_format="dict", print_info=False)
    assert list(api["named_endpoints"]) == ["/predict"]
    assert not api["unnamed_endpoints"]
    given = [p["parameter_name"] for p in api["named_endpoints"]["/predict"]["parameters"]]
    assert given == ["photo", "confidence", "overlap"]


def test_mistakes_are_told_and_do_not_disturb(client: Any, photos: list[Path], tmp_path: Path) -> None:
    from gradio_client.exceptions import AppError

    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "cut.jpg").write_bytes(photos[0].read_bytes()[:2000])
    write_huge_header(tmp_path / "huge.png", 2000, 1001)
    for photo, message in (
        (tmp_path / "text.jpg", r"^text\.jpg: is not an image"),
        (tmp_path / "cut.jpg", r"^cut\.jpg: cannot be decoded"),
        (tmp_path / "huge.png", r"^huge\.png: has 2000x1001 = 2\.0 megapixels .* takes 2; scale it down"),
        (None, "^photo: no file was given"),
        ("http://127.0.0.1:9/a.jpg", "^photo: is an address, which this server does not fetch"),
    ):
        with pytest.raises(AppError, match=message):
            call(client, photo)
    with pytest.raises(AppError, match="confidence: 7 is no threshold"):
        call(client, photos[0], confidence=7)
    assert call(client, photos[0])[0]["segments"]


def test_a_large_file_is_refused(client: Any, site: Site, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(UPLOAD_MB * 1024 * 1024 + 1))
    with pytest.raises(ValueError, match=r"exceeds the maximum file size of 1048576"):
        call(client, large)
    answer = httpx.post(f"{site.url}gradio_api/upload", files={"files": large.open("rb")})
    assert answer.status_code == 413
    assert "maximum allowed size" in answer.text


def upload(site: Site, photo: Path) -> str:
    answer = httpx.post(f"{site.url}gradio_api/upload", files={"files": (photo.name, photo.read_bytes())})
    path: str = answer.json()[0]
    return path


def request(site: Site, path: str, timeout: float = 100) -> tuple[int, str]:
    """Status, and either the reason of a refusal or the events of the answer."""
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    with httpx.Client(base_url=site.url, timeout=timeout) as http:
        answer = http.post("gradio_api/call/predict", json={"data": [photo, 0.33, 0.37]})
        if answer.status_code != 200:
            return answer.status_code, answer.text
        return 200, http.get(f"gradio_api/call/predict/{answer.json()['event_id']}").text


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "http://example.com/a.jpg", "{here}"])
def test_no_other_file_is_read_by_the_endpoint(site: Site, path: str) -> None:
    status, events = request(site, path.format(here=Path(__file__).resolve()))
    assert status == 200
    assert "event: error" in events
    assert "upload" in events or "does not fetch" in events


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "pyproject.toml", "{here}", "http://example.com/", "http:%2F%2Fexample.com/"]
)
def test_no_other_file_is_handed_out(site: Site, path: str) -> None:
    for prefix in ("file=", "proxy=", "file/"):
        answer = httpx.get(f"{site.url}gradio_api/{prefix}{path.format(here=Path(__file__).resolve())}")
        assert answer.status_code in (403, 404), answer.url


def test_the_queue_cannot_be_passed(site: Site, photos: list[Path]) -> None:
    before = len(site.passes)
    data = [{"path": upload(site, photos[0]), "meta": {"_type": "gradio.FileData"}}, 0.3, 0.3]
    answer = httpx.post(f"{site.url}gradio_api/run/predict", json={"data": data})
    assert answer.status_code == 404
    assert "join the queue" in answer.text
    assert len(site.passes) == before


@pytest.mark.slow
def test_fifty_at_once_are_answered_or_politely_refused(site: Site, photos: list[Path], client: Any) -> None:
    path = upload(site, photos[0])
    before = len(site.passes)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: request(site, path), range(50)))
    done = [text for status, text in answers if status == 200]
    refused = [(status, text) for status, text in answers if status != 200]
    assert all("event: complete" in text for text in done)
    assert all(status == 503 and f"Queue is full. Max size is {QUEUE}" in text for status, text in refused)
    assert len(done) >= QUEUE
    assert len(site.passes) == before + len(done)
    assert set(site.passes) == {1}
    assert call(client, photos[0])[0]["segments"]

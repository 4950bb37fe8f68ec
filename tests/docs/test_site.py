"""The site as it is built: whole, true to the code, and without anything from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import spatialflow as sf
from docs_pages import DOCS, ROOT, environment
from spatialflow.config import recipe_names

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return folder


class Loads(HTMLParser):
    """Addresses that a browser fetches by itself, and the ids of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(values["id"] or "")
        if tag == "link" and values.get("rel") not in ("stylesheet", "icon", "preload", "preconnect"):
            return
        for name in ("src", "srcset", "href" if tag == "link" else "data"):
            if values.get(name):
                self.addresses.append(values[name] or "")


def test_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        for address in Loads(page).addresses:
            assert "//" not in address.removeprefix("data:"), f"{page.name}: {address}"
            if not address.startswith(("data:", "/")):
                assert (page.parent / address.partition("#")[0].partition("?")[0]).exists(), address
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", style.read_text()), style.name


def test_every_page_is_built(site: Path) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS)
        assert (site / name.with_suffix(".html")).is_file()
        assert re.search(rf"^ +- .*: {re.escape(name.as_posix())}$", navigation, re.MULTILINE), name


def test_every_public_name_is_documented(site: Path) -> None:
    """If this fails, add ``::: MODULE.NAME`` to docs/reference/api.md for the names it lists."""
    ids = Loads(site / "reference" / "api.html").ids
    missing = []
    for name in sf.__all__:
        thing = getattr(sf, name)
        if f"{thing.__module__}.{thing.__qualname__}" not in ids:
            missing.append(f"{thing.__module__}.{thing.__qualname__}")
    assert not missing


def test_every_command_and_option_is_there(site: Path, spatialflow) -> None:
    page = re.sub(r"<[^>]+>", "", (site / "reference" / "commands.html").read_text())
    ids = Loads(site / "reference" / "commands.html").ids
    assert "\x1b" not in page
    for group in ([], ["data"], ["convert"]):
        listed = re.findall(r"^│ ([a-z][\w-]+)  ", spatialflow(*group, "--help").out, re.MULTILINE)
        assert listed
        for command in listed:
            assert "-".join(["spatialflow", *group, command]) in ids
            for option in re.findall(
                r"^│ (--[\w-]+)", spatialflow(*group, command, "--help").out, re.MULTILINE
            ):
                assert option == "--help" or option in page, f"{command} {option}"


def test_every_recipe_and_setting_is_there(site: Path) -> None:
    assert set(recipe_names()) <= Loads(site / "reference" / "recipes.html").ids
    settings = (site / "reference" / "settings.html").read_text()
    keys: list[str] = []

    def collect(prefix: str, section: dict[str, object]) -> None:
        for key, value in section.items():
            if isinstance(value, dict) and key != "backbone_options":
                collect(f"{prefix}{key}.", value)
            else:
                keys.append(f"{prefix}{key}")

    collect("", sf.load_config("spatialflow_r50_fpn_20e_coco").model_dump())
    assert len(keys) > 60
    assert not [key for key in keys if f"<code>{key}</code>" not in settings]


def test_nothing_is_left_unprocessed(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert "<!-- generated" not in text
        assert "<!-- README" not in text
        assert not re.search(r":(class|func|meth|mod|data):", text), page.name
        assert "--8&lt;--" not in text

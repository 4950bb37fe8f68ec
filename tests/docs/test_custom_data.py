"""The guide on one's own data: every command in it is run as it stands."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from docs_pages import DOCS, ROOT, code

GUIDE = DOCS / "custom-data.md"


@pytest.mark.slow
def test_commands_lead_from_an_export_to_pictures(tmp_path: Path, run_page: Callable[..., str]) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    everything = run_page(GUIDE.name)
    assert "no faults; ready to train" in everything
    assert "these layers start anew" in everything
    match = re.search(r"All\D+([\d.]+)", everything)
    assert match is not None
    assert float(match[1]) > 60
    assert len(list((tmp_path / "mydata" / "pictures" / "overlay").glob("desk_0*.jpg"))) == 10


def test_classes_are_those_of_the_example() -> None:
    (written,) = code(GUIDE, "yaml")
    assert yaml.safe_load(written) == yaml.safe_load(
        (ROOT / "examples" / "desk" / "classes.yaml").read_text()
    )


@pytest.mark.slow
def test_example_is_what_its_script_draws(tmp_path: Path) -> None:
    """Labels to the letter; photos are left out, as JPEG encoders differ."""
    script = (
        (ROOT / "examples" / "make_desk.py")
        .read_text()
        .replace("Path(__file__).parent", f"Path({str(tmp_path)!r})")
    )
    (tmp_path / "desk").mkdir()
    subprocess.run([sys.executable, "-c", script], check=True)
    drawn = sorted((tmp_path / "desk").glob("*.json"))
    assert len(drawn) == 16
    for path in drawn:
        assert path.read_text() == (ROOT / "examples" / "desk" / path.name).read_text()

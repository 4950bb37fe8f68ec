"""The page on the result: its blocks are run one after the other, as they stand."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from spatialflow.visualize import draw_overlay

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def test_every_block_runs(tmp_path: Path, run_page: Callable[..., str]) -> None:
    text = PAGE.read_text()
    said = run_page("results.md", together=True)
    written = re.search(r"# (PanopticPrediction\(.*\))", text)
    assert written is not None
    assert said.startswith(written[1])
    assert "['bbox', 'category_id', 'image_id', 'score', 'segmentation']" in said
    assert Image.open(tmp_path / "one.png").mode == "RGBA"
    assert {path.name for path in tmp_path.glob("*.*g")} == {
        "overlay.jpg", "overview.png", "one.png", "box.png", "truth.jpg",
    }  # fmt: skip


def test_the_page_names_every_option_with_its_default() -> None:
    text = PAGE.read_text()
    for name, parameter in inspect.signature(draw_overlay).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            assert f"| `{name}={parameter.default!r}` |".replace("'", '"') in text


def test_pictures_of_the_page_are_there_and_small() -> None:
    for name in re.findall(r"\]\((images/[^)]*)\)", PAGE.read_text()):
        assert (PAGE.parent / name).stat().st_size < 200_000

"""The page on ``spatialflow serve``: its program is run as it stands, and its numbers are the command's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from make_cli import Command
from make_web import draw_photos, serve_tiny
from spatialflow.web.limits import LIMITS
from spatialflow.web.ready import FIRST_PORT, LOOPBACK

PAGE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text("utf-8")


def test_options_are_those_of_the_command(spatialflow: Command) -> None:
    defaults = dict(re.findall(r"^\| `--([a-z-]+)[^|]*\| ([^|]*) \|", PAGE, re.MULTILINE))
    assert defaults["max-upload"] == str(LIMITS.upload_mb)
    assert defaults["max-pixels"] == str(LIMITS.megapixels)
    assert defaults["max-clip"] == str(LIMITS.clip_seconds)
    assert defaults["max-queue"] == str(LIMITS.queue)
    assert defaults["host"] == f"`{LOOPBACK}`"
    assert defaults["port"] == f"first free one from {FIRST_PORT}"
    told = spatialflow("serve", "--help").out
    shown = set(re.findall(r"--([a-z-]+)", told)) - {"help"}
    assert shown == set(re.findall(r"`--([a-z-]+)[^`]*`", PAGE.split("## Options")[1].split("##")[0]))


@pytest.mark.slow
def test_program_runs(tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    photo = draw_photos(tmp_path, 1)[0]
    photo.rename(tmp_path / "photo.jpg")
    with serve_tiny() as site:
        assert "http://127.0.0.1:7860/" in program
        done = subprocess.run(
            [sys.executable, "-c", program.replace("http://127.0.0.1:7860/", site.url)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert "160 128\n" in done.stdout
    assert re.search(r"^star 0\.9\d+ \d+ \[\d+, \d+, \d+, \d+\]$", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines()[-1].endswith("photo.jpg")

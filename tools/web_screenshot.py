"""Pictures of the page of ``spatialflow serve``, at a desk and on a phone, taken in Chromium with ``tiny``.

Usage: python tools/web_screenshot.py OUT [--width 1240] [--height 860]

Writes OUT/desk.png, OUT/phone.png and OUT/web.jpg, the two side by side as the README shows them.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
PHONE = (390, 844)
GAP, MARGIN, BACKGROUND = 32, 28, (226, 232, 240)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1240)
    parser.add_argument("--height", type=int, default=860)
    given = parser.parse_args()
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        parser.exit(2, "web_screenshot: no Chromium is installed; run: make browser\n")

    from playwright.sync_api import sync_playwright

    from spatialflow.checkpoints import load_model
    from spatialflow.data.synthetic import generate
    from spatialflow.inference import Predictor
    from spatialflow.web.server import serving

    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serving(Predictor(load_model("tiny")), "tiny") as url:
        generate(folder, 6, seed=11, split="drawn", workers=1)
        photo = Path(folder) / "drawn" / "000004.jpg"
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=list(ARGUMENTS))
            _take(chromium, url, photo, (given.width, given.height), False, given.out / "desk.png")
            _take(chromium, url, photo, PHONE, True, given.out / "phone.png")
            chromium.close()
    _together(given.out / "desk.png", given.out / "phone.png").save(given.out / "web.jpg", quality=85)


def _take(chromium: Any, url: str, photo: Path, size: tuple[int, int], is_phone: bool, out: Path) -> None:
    """Segment the photo and point at a thing of it."""
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, has_touch=is_phone, is_mobile=is_phone
    )
    page = context.new_page()
    page.goto(url)
    page.locator("#photo input[type=file]").set_input_files(photo)
    page.wait_for_selector("#result .sf-table")
    page.wait_for_timeout(1500)  # the page scrolls, and the busy sign fades
    if is_phone:
        page.locator("#result tr[data-segment]").first.tap()
        page.locator("#result").evaluate("e => e.scrollIntoView({block: 'start'})")
    else:
        page.locator("#result tr[data-segment]").first.hover()
    page.wait_for_timeout(500)
    page.screenshot(path=out)
    context.close()


def _together(desk: Path, phone: Path) -> Image.Image:
    left, right = Image.open(desk).convert("RGB"), Image.open(phone).convert("RGB")
    height = max(left.height, right.height)
    size = left.width + right.width + GAP + 2 * MARGIN, height + 2 * MARGIN
    both = Image.new("RGB", size, BACKGROUND)
    both.paste(left, (MARGIN, MARGIN))
    both.paste(right, (MARGIN + left.width + GAP, MARGIN))
    return both


if __name__ == "__main__":
    main()

"""Test-time augmentation: its parts by hand; the whole against the original is in tests/reference."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from make_model import photo, tiny_model
from spatialflow.errors import OutputError
from spatialflow.postprocess.pipeline import find
from spatialflow.postprocess.tta import View, find_in_views, mirror, stuff_rows


def test_mirror() -> None:
    boxes = torch.tensor([[1.0, 2, 4, 6]])
    assert mirror(boxes, 10).tolist() == [[6, 2, 9, 6]]
    assert torch.equal(mirror(mirror(boxes, 10), 10), boxes)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("output", [(50, 70), (9, 200), (1, 1)])
def test_stuff_is_the_two_interpolations_of_the_original(output: tuple[int, int], flipped: bool) -> None:
    logits = torch.randn(3, 16, 24, generator=torch.Generator().manual_seed(0))
    padded = F.interpolate(logits[None], scale_factor=4, mode="bilinear", align_corners=True)
    expected = F.interpolate(padded[..., :61, :90], output, mode="bilinear", align_corners=True)[0]
    expected = expected.flip(-1) if flipped else expected
    for rows in (range(output[0]), range(output[0] // 2, output[0])):
        ours = stuff_rows(logits, (61, 90), output, flipped, rows)
        assert torch.allclose(ours, expected[:, rows.start :], atol=1e-4)


@torch.inference_mode()
def test_one_plain_view_is_plain_prediction() -> None:
    model = tiny_model().eval()
    images, size = photo(64, 96), (61, 90)
    (plain,) = find(model, model(images), [size], [size])
    viewed = find_in_views(model, iter([View(images, size, False)]), size)
    for ours, expected in zip(viewed.things, plain.things, strict=True):
        assert np.allclose(ours, expected, atol=1e-5)
    assert (viewed.stuff == plain.stuff).mean() > 0.99


@torch.inference_mode()
def test_a_view_and_its_mirror_image() -> None:
    """A model that sees only mirror images answers with the mirrored answer of one that sees the photo."""
    model = tiny_model().eval()
    images, size = photo(64, 96), (64, 96)
    plain = find_in_views(model, [View(images, size, False)], size)
    mirrored = find_in_views(model, [View(images, size, True)], size)  # the photo, said to be a mirror image
    assert np.allclose(mirror(torch.from_numpy(mirrored.things.boxes), 96), plain.things.boxes, atol=1e-4)
    assert np.allclose(mirrored.things.masks[..., ::-1], plain.things.masks, atol=1e-5)
    assert (mirrored.stuff[:, ::-1] == plain.stuff).mean() > 0.99


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:595] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    model = tiny_model().eval()
    with torch.inference_mode(), pytest.raises(OutputError, match="TMPDIR"):
        find_in_views(model, [View(photo(64, 96), (64, 96), False)], (64, 96))


MEMORY = """
import resource, sys, torch
import spatialflow as sf
torch.set_num_threads(1)
views = int(sys.argv[1])
overrides = ["model.backbone=resnet18", f"data.tta.scales={[[960, 640]] * views}", "data.tta.flip=false"]
torch.manual_seed(0)
model = sf.build_model(sf.load_config("spatialflow_r50_fpn_20e_coco", overrides))
predictor = sf.Predictor(model, "cpu", "fp32", tta=True)
predictor.predict(torch.randint(0, 256, (3, 640, 960), dtype=torch.uint8))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_views() -> None:
    """Processes of their own; what four more views are kept of on disk would take 53 + 33 MB in memory."""

    def peak(views: int) -> float:
        command = [sys.executable, "-c", MEMORY, str(views)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    one, two, six = peak(1), peak(2), peak(6)
    assert six <= 1.3 * one
    assert six - two < 45

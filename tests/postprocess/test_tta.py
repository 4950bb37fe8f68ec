"""Test-time augmentation: its parts by hand; the whole against the original is in tests/reference."""

import gc
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

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


def test_nothing_large_is_held_from_view_to_view() -> None:
    """Bytes of all tensors that live when a view enters the network, but the view itself and the weights."""
    model = tiny_model(detection={"pre_nms_top_k": 10}).eval()
    weights = {t.untyped_storage().data_ptr() for t in model.state_dict().values()}
    held = []

    def count(_: object, inputs: tuple[Tensor, ...]) -> None:
        gc.collect()
        known = {*weights, inputs[0].untyped_storage().data_ptr()}
        storages = {
            o.untyped_storage().data_ptr(): o.untyped_storage().nbytes()
            for o in gc.get_objects()
            if type(o) is Tensor  # isinstance would ask objects that warn
        }
        held.append(sum(size for pointer, size in storages.items() if pointer not in known))

    with torch.inference_mode():
        features = sum(t.nbytes for t in model(photo(256, 320)).mask_features)
        model.register_forward_pre_hook(count)
        find_in_views(model, (View(photo(256, 320), (256, 320), False) for _ in range(5)), (256, 320))
    growth = [later - earlier for earlier, later in pairwise(held[1:])]  # the first may meet one-time tensors
    assert max(growth) < features / 10


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
def test_six_views_take_little_more_memory_than_one() -> None:
    """Of whole processes, at most 1.3 times."""

    def peak(views: int) -> float:
        command = [sys.executable, "-c", MEMORY, str(views)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert peak(6) <= 1.3 * peak(1)

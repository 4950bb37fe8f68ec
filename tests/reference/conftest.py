"""Models with the weights, and batches with the photos, of the golden numbers."""

import copy
import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import spatialflow as sf
from golden import PHOTOS, Batches, Models
from spatialflow.categories import coco_panoptic
from spatialflow.config import DataConfig
from spatialflow.data.datamodule import PanopticData, collate
from spatialflow.structures import Batch

RECIPES = {
    "r50": "spatialflow_r50_fpn_20e_coco",
    "r101": "spatialflow_r101_fpn_20e_coco",
    "r101_dcn": "spatialflow_r101_dcn_fpn_20e_coco_multiscale_fp16",
}
SCALE = (512, 320)
"""Of the public golden numbers made from the two photos."""


@pytest.fixture(scope="session", autouse=True)
def _two_threads() -> Iterator[None]:
    """The golden numbers are of 2 threads; more add nothing on pictures this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, 2))
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint(
    reference: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[..., Path]:
    """``checkpoint("r50", "--half")``: the path of a file in the original's container, each written once."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # pytest-xdist: one folder for all processes
        folder = folder.parent

    def write(model: str, *options: str) -> Path:
        path = folder / f"{model}{''.join(options)}.pth"
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                script = reference / "make_checkpoint.py"
                partial = path.with_suffix(".partial")
                command = [sys.executable, "-B", str(script), model, "public", str(partial), *options]
                subprocess.run(command, check=True)
                partial.rename(path)
        return path

    return write


@pytest.fixture(scope="session")
def models(checkpoint: Callable[..., Path]) -> Models:
    """``models("r50")``: a model with golden weights in evaluation mode; a copy, to do with as one likes."""
    loaded: dict[str, sf.SpatialFlow] = {}

    def load(name: str) -> sf.SpatialFlow:
        if name not in loaded:
            config = sf.load_config(RECIPES[name], [f"data.test_scale={list(SCALE)}"])
            loaded[name] = sf.load_model(checkpoint(name), config)
        return copy.deepcopy(loaded[name])

    return load


@pytest.fixture(scope="session")
def batches(shared_data: Path) -> Batches:
    """``batches([1, 0], flip=False)``: training data of the two photos, in that order."""

    def load(order: list[int], flip: bool) -> Batch:
        truth = str(shared_data / "coco" / "annotations" / "panoptic_real.json")
        config = DataConfig(train=truth, val=truth, train_scales=(SCALE,), flip=float(flip), workers=0)
        dataset = PanopticData(config, coco_panoptic()).train_set
        place = {dataset.info(i).file_name: i for i in range(len(dataset))}
        batch = collate([dataset[place[PHOTOS[i]]] for i in order], config.mean, config.std)
        assert isinstance(batch, Batch)
        return batch

    return load


@pytest.fixture(scope="session")
def units(reference: Path) -> Mapping[str, Any]:
    """Golden numbers of single operations."""
    return np.load(reference / "public" / "units.npz")

"""Half precision in training: losses near those of float32, and steps that overflow are survived."""

import warnings
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from spatialflow.categories import Categories
from spatialflow.config import load_config
from spatialflow.data.datamodule import PanopticData
from spatialflow.errors import SpatialFlowError
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.structures import Batch
from spatialflow.training.module import PanopticModule
from spatialflow.training.overflow import MOST_IN_A_ROW
from spatialflow.training.run import TrainResult

LOSSES = ("cls", "box", "mask", "stuff", "total")
FORMATS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


class Watch(lightning.Callback):
    """Keeps the losses of every step."""

    def __init__(self) -> None:
        self.losses: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        metrics = trainer.callback_metrics
        self.losses.append({name: float(metrics[f"loss/{name}"]) for name in LOSSES})


def fit(
    recipe: Path,
    trained: TrainResult,
    precision: str,
    scaler: Any = None,
    steps: int = 1,
    device: str = "cpu",
    spoilt: int = 0,
) -> tuple[SpatialFlow, Watch]:
    """Train on from the learnt weights; with ``scaler``, in fp16 on a CPU, which Lightning alone does not."""
    config = load_config(recipe, ["train.warmup_steps=0", f"train.max_steps={steps}"])
    categories = Categories.load(config.data.categories)
    model = build_model(config, categories)
    model.load_state_dict(trained.model.state_dict())
    watch = Watch()
    kind: dict[str, Any] = {"precision": FORMATS[precision]}
    if scaler is not None:
        kind = {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="gpu" if device == "cuda" else "cpu",
            devices=1,
            max_epochs=100,
            max_steps=steps,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            callbacks=[watch, SpoilPhotos(spoilt)],
            **kind,
        )
        trainer.fit(PanopticModule(model.train(), config), datamodule=PanopticData(config.data, categories))
    return model, watch


@pytest.fixture
def exact(recipe: Path, trained: TrainResult) -> dict[str, float]:
    _, watch = fit(recipe, trained, "fp32")
    return watch.losses[0]


def assert_close(losses: dict[str, float], exact: dict[str, float]) -> None:
    """Each within 2 %, of which small ones are spared what is no more than 2 % of the total."""
    for name in LOSSES:
        assert losses[name] == pytest.approx(exact[name], rel=0.02, abs=0.002), name
    assert losses["total"] == pytest.approx(exact["total"], rel=0.02)


def test_bf16_step_has_the_losses_of_fp32(
    recipe: Path, trained: TrainResult, exact: dict[str, float]
) -> None:
    model, watch = fit(recipe, trained, "bf16")
    assert watch.losses[0] != exact
    assert_close(watch.losses[0], exact)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_fp16_step_has_the_losses_of_fp32(
    recipe: Path, trained: TrainResult, exact: dict[str, float]
) -> None:
    model, watch = fit(recipe, trained, "fp16", torch.amp.GradScaler("cpu"))
    assert watch.losses[0] != exact
    assert_close(watch.losses[0], exact)
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and there is none")
def test_fp16_on_a_gpu(recipe: Path, trained: TrainResult, exact: dict[str, float]) -> None:
    model, watch = fit(recipe, trained, "fp16", steps=3, device="cuda")
    assert_close(watch.losses[0], exact)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_overflow_of_gradients_is_survived(recipe: Path, trained: TrainResult) -> None:
    """The first loss scale is far too large: steps are skipped until it is not, then the weights move."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    model, watch = fit(recipe, trained, "fp16", scaler, steps=2)
    before = trained.model.state_dict()
    assert scaler.get_scale() < 2.0**40
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())  # both were skipped
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**18)
    model, watch = fit(recipe, trained, "fp16", scaler, steps=12)
    assert scaler.get_scale() < 2.0**18
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert any(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert all(loss["total"] < 10 for loss in watch.losses)


class SpoilPhotos(lightning.Callback):
    """The photos of the first steps hold an infinite pixel."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, batch: Batch, number: int
    ) -> None:
        if self.steps > 0:
            self.steps -= 1
            batch.images[0, 0, 0, 0] = torch.inf


def test_steps_that_overflow_are_survived_in_fp16(recipe: Path, trained: TrainResult) -> None:
    """The recipe's BatchNorm trains, so an infinite activation enters its statistics, which are put back."""
    model, watch = fit(recipe, trained, "fp16", torch.amp.GradScaler("cpu"), 4, spoilt=2)
    finite = [np.isfinite(losses["total"]) for losses in watch.losses]
    assert finite == [False, False, True, True]
    before = trained.model.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.isfinite(tensor).all(), name
    moved = [name for name, b in model.named_buffers() if not torch.equal(b, before[name])]
    assert any("running_mean" in name for name in moved)


def test_loss_without_a_number_ends_other_trainings(recipe: Path, trained: TrainResult) -> None:
    with pytest.raises(SpatialFlowError, match=r"diverged: the loss is (nan|inf) at step 0; lower train\.lr"):
        fit(recipe, trained, "bf16", steps=4, spoilt=1)


def test_too_many_overflows_in_a_row(recipe: Path, trained: TrainResult) -> None:
    steps = MOST_IN_A_ROW + 2
    with pytest.raises(SpatialFlowError, match="diverged"):
        fit(recipe, trained, "fp16", torch.amp.GradScaler("cpu"), steps, spoilt=MOST_IN_A_ROW + 1)

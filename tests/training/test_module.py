import warnings
from pathlib import Path

import pytest
import torch
from lightning import Trainer

from spatialflow.config import load_config
from spatialflow.data.datamodule import PanopticData
from spatialflow.evaluation.panoptic_quality import PanopticQuality
from spatialflow.evaluation.segment_table import SegmentTable
from spatialflow.inference.predictor import Predictor
from spatialflow.models.spatialflow import build_model
from spatialflow.training.module import PanopticModule
from spatialflow.training.run import TrainResult, train


def test_validation_is_what_prediction_gives(trained: TrainResult, easy_data: Path) -> None:
    """The PQ logged in training is the PQ of the finished checkpoint's predictions."""
    predictor = Predictor(trained.model, "cpu", "fp32")
    data = PanopticData(trained.model.config.data, trained.model.categories)
    quality = PanopticQuality(trained.model.categories)
    for i in range(len(data.val_set)):
        target = data.val_set[i].target
        prediction = predictor.predict(data.val_set.images / target.file_name)
        quality.update(
            prediction.segment_ids,
            SegmentTable.from_prediction(prediction),
            target.id_map,
            SegmentTable.from_target(target),
        )
    assert trained.result is not None
    assert trained.result.all.pq > 0.3
    assert trained.result.all.pq == pytest.approx(quality.compute().all.pq, abs=1e-3)


def test_frozen_parts_stay_as_they_are(recipe: Path) -> None:
    config = load_config(
        recipe, ["model.frozen_stages=1", "model.freeze_batch_norm=true", "train.epochs=1", "train.lr=0.1"]
    )
    before = {k: v.clone() for k, v in initial_state(config).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = train(config, say=lambda line: None).model.state_dict()
    frozen = [k for k in before if k.startswith(("backbone.body.conv1", "backbone.body.layer1"))]
    statistics = [k for k in before if k.startswith("backbone") and "running" in k]
    assert frozen
    assert statistics
    for key in [*frozen, *statistics]:
        assert torch.equal(before[key], after[key]), key
    moved = ["backbone.body.layer2.0.conv1.weight", "backbone.body.layer2.0.bn1.weight"]
    for key in [*moved, "cls_predictor.weight", "stuff_head.logits.weight", "mask_head.logits.weight"]:
        assert not torch.equal(before[key], after[key]), key


def test_unfrozen_parts_all_move(recipe: Path) -> None:
    config = load_config(recipe, ["train.epochs=1", "train.warmup_steps=0"])
    before = {k: v.clone() for k, v in initial_state(config).items()}
    result = train(config, say=lambda line: None)
    for name, _ in result.model.named_parameters():
        assert not torch.equal(before[name], result.model.state_dict()[name]), name
    assert not torch.equal(
        before["backbone.body.bn1.running_mean"], result.model.state_dict()["backbone.body.bn1.running_mean"]
    )


def initial_state(config: object) -> dict[str, torch.Tensor]:
    """Weights before the first step: those of the seed."""
    from lightning import seed_everything

    from spatialflow.config import Config

    assert isinstance(config, Config)
    seed_everything(config.train.seed, verbose=False)
    return build_model(config).state_dict()


@pytest.mark.filterwarnings("ignore:.*LeafSpec")
def test_an_epoch_starts_the_count_anew(trained: TrainResult) -> None:
    config = trained.model.config
    module = PanopticModule(trained.model, config)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, use_distributed_sampler=False
    )
    data = PanopticData(config.data, trained.model.categories)
    first = trainer.validate(module, data, verbose=False)
    assert trainer.validate(module, data, verbose=False) == first
    assert trained.result is not None
    assert first[0]["val/pq"] == pytest.approx(100 * trained.result.all.pq, rel=1e-4)

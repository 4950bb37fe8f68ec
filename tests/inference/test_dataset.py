import json
from pathlib import Path

import pytest
import torch

from make_data import edit_json, pack_folder, write_panoptic_set
from make_training import easy_image, write_easy_recipe
from spatialflow.checkpoints import save_model
from spatialflow.config import Config, DataConfig, load_config
from spatialflow.errors import CheckpointError, ConfigError, DataError, OutputError
from spatialflow.evaluation.panoptic_quality import evaluate_pq
from spatialflow.image_io import read_id_png
from spatialflow.inference.dataset import evaluate_dataset
from spatialflow.inference.model_for_data import model_for_data
from spatialflow.inference.predictor import Predictor
from spatialflow.training.run import TrainResult


@pytest.fixture(scope="module")
def predictor(trained: TrainResult) -> Predictor:
    return Predictor(trained.model, "cpu", "fp32")


@pytest.fixture(scope="module")
def config(trained: TrainResult) -> Config:
    return trained.model.config


def test_result_is_written_and_scored(
    predictor: Predictor, config: Config, trained: TrainResult, tmp_path: Path
) -> None:
    predicted: list[tuple[int, int]] = []
    scored: list[tuple[int, int]] = []
    result = evaluate_dataset(
        predictor,
        config.data,
        tmp_path / "out",
        on_predicted=lambda *call: predicted.append(call),
        on_evaluated=lambda *call: scored.append(call),
    )
    assert predicted == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert scored[-1] == (4, 4)
    assert trained.result is not None
    assert result.all.pq == pytest.approx(trained.result.all.pq, abs=1e-3)
    truth = Path(config.data.val)
    assert evaluate_pq(truth, tmp_path / "out" / "panoptic.json") == result
    wanted = {i["id"]: (i["height"], i["width"]) for i in json.loads(truth.read_text())["images"]}
    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    assert {entry["image_id"] for entry in content["annotations"]} == set(wanted)
    for entry in content["annotations"]:
        png = tmp_path / "out" / "panoptic" / entry["file_name"]
        assert read_id_png(png).shape == wanted[entry["image_id"]]


@pytest.mark.parametrize("batch", [3, 4])
def test_batches_of_several_sizes(predictor: Predictor, config: Config, tmp_path: Path, batch: int) -> None:
    """Images of a batch pad each other, which reaches the borders of what the network sees, no further."""
    single = evaluate_dataset(predictor, config.data, tmp_path / "1")
    data = config.data.model_copy(update={"eval_batch_size": batch, "workers": 1})
    several = evaluate_dataset(predictor, data, tmp_path / "n")
    assert several.all.pq == pytest.approx(single.all.pq, abs=0.1)
    for name in ("v0", "v1", "v2", "v3"):
        one, other = (read_id_png(tmp_path / folder / "panoptic" / f"{name}.png") for folder in "1n")
        assert one.shape == other.shape
        assert ((one > 0) == (other > 0)).mean() > 0.9
    # those that fill the batch are not padded by it
    for name in ("v0", "v1"):
        one, other = (read_id_png(tmp_path / folder / "panoptic" / f"{name}.png") for folder in "1n")
        assert (one == other).mean() > 0.999


def test_data_in_archives(predictor: Predictor, config: Config, tmp_path: Path) -> None:
    truth = write_panoptic_set(tmp_path, [easy_image(str(i), i) for i in range(3)], "val")
    data = config.data.model_copy(update={"val": str(truth)})
    expected = evaluate_dataset(predictor, data, tmp_path / "1")
    pack_folder(truth.with_suffix(""), truth.with_suffix(".zip"))
    pack_folder(tmp_path / "images", tmp_path / "images.zip")
    assert evaluate_dataset(predictor, data, tmp_path / "2") == expected
    # the truth's PNGs are in no folder that the result could be written over
    with pytest.raises(OutputError, match="holds the truth itself"):
        evaluate_dataset(
            predictor, data.model_copy(update={"val": str(rename(truth))}), tmp_path / "annotations"
        )


def rename(truth: Path) -> Path:
    """The same set, called as results are."""
    truth.with_suffix(".zip").rename(truth.with_name("panoptic.zip"))
    return truth.rename(truth.with_name("panoptic.json"))


def test_photos_in_folders_of_their_own(predictor: Predictor, config: Config, tmp_path: Path) -> None:
    """Some data sets have one name in several folders, or several types of one name."""
    truth = write_panoptic_set(tmp_path, [easy_image(str(i), i) for i in range(3)], "val")
    for i, name in enumerate(("one/a.png", "two/a.png", "two/a.jpg")):
        new = tmp_path / "images" / name
        new.parent.mkdir(exist_ok=True)
        (tmp_path / "images" / f"{i}.png").rename(new)
        edit_json(truth, lambda c, i=i, name=name: c["images"][i].update(file_name=name))
    data = config.data.model_copy(update={"val": str(truth)})
    evaluate_dataset(predictor, data, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    names = [entry["file_name"] for entry in content["annotations"]]
    assert names == ["one/a.png", "two/a.png", "two/a.2.png"]


def test_the_checkpoint_says_how_photos_are_prepared(
    predictor: Predictor, config: Config, tmp_path: Path
) -> None:
    expected = evaluate_dataset(predictor, config.data, tmp_path / "own")
    strange = config.data.model_copy(update={"mean": (0.0, 0.0, 0.0), "test_scale": (32, 32)})
    assert evaluate_dataset(predictor, strange, tmp_path / "other") == expected


# ---- which model --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(trained: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "easy.safetensors"
    save_model(trained.model, path)
    return path


def test_own_recipe_needs_no_note(weights: Path, config: Config) -> None:
    model, notes = model_for_data(weights, config)
    assert notes == []
    assert model.config == config
    assert not model.training


def test_other_recipe_is_noted(weights: Path, config: Config) -> None:
    model, notes = model_for_data(weights, load_config("spatialflow_tiny"))
    assert model.config == config
    (note,) = notes
    assert "differ in model.backbone_options" in note
    assert "more; the checkpoint's values are used" in note


def test_overrides_go_before_the_checkpoint(weights: Path, tmp_path: Path, easy_data: Path) -> None:
    overrides = ["model.merge.stuff_area=99", "data.test_scale=[128, 128]", "train.lr=1", "data.workers=7"]
    recipe = load_config(write_easy_recipe(tmp_path / "easy.yaml", easy_data), overrides)
    model, notes = model_for_data(weights, recipe, overrides)
    assert notes == []
    assert model.config.model.merge.stuff_area == 99
    assert model.config.data.test_scale == (128, 128)
    assert model.config.train.lr != 1, "what does not concern the model stays as it was trained"


def test_architecture_cannot_be_overridden(weights: Path, config: Config) -> None:
    with pytest.raises(CheckpointError, match=r"easy\.safetensors: subnets\.reg\.1\.conv\.weight"):
        model_for_data(weights, config, ["model.head_convs=2"])
    with pytest.raises(
        ConfigError, match=r"model\.head_conv is no known key; did you mean 'model\.head_convs'"
    ):
        model_for_data(weights, config, ["model.head_conv=2"])


def test_only_training_keys_differ(weights: Path, config: Config) -> None:
    other = config.model_copy(update={"model": config.model.model_copy(update={"frozen_stages": 1})})
    assert model_for_data(weights, other)[1] == []


def test_weights_are_those_of_the_file(weights: Path, config: Config, trained: TrainResult) -> None:
    model, _ = model_for_data(weights, config)
    for key, tensor in trained.model.state_dict().items():
        assert torch.equal(model.state_dict()[key], tensor)


def test_truth_is_not_overwritten(predictor: Predictor, tmp_path: Path) -> None:
    truth = write_panoptic_set(tmp_path, [easy_image("one", 0)], name="panoptic")
    before = truth.read_bytes()
    data = DataConfig(val=str(truth), test_scale=(64, 64), workers=0)
    with pytest.raises(OutputError, match="holds the truth itself"):
        evaluate_dataset(predictor, data, truth.parent)
    assert truth.read_bytes() == before


def test_classes_that_the_truth_lacks_are_found_before_the_work(
    predictor: Predictor, config: Config, tmp_path: Path
) -> None:
    truth = write_panoptic_set(tmp_path / "data", [easy_image("a", 1)], "nodog")
    edit_json(truth, lambda content: content["categories"].pop(1))
    data = config.data.model_copy(update={"val": str(truth)})
    with pytest.raises(DataError, match=r"nodog\.json: categories: id 7, 'dog', of the model is missing"):
        evaluate_dataset(predictor, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()

"""Fixtures that find the shared data, which is not part of the repository."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from make_cli import Command, Ended
from make_training import write_easy_recipe, write_easy_set

if TYPE_CHECKING:
    from spatialflow.training.run import TrainResult

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(path: Path) -> Path:
    if not path.is_dir():
        pytest.skip(f"needs {path.relative_to(SHARED.parent)} beside the repository, which is not here")
    return path


@pytest.fixture(scope="session")
def reference() -> Path:
    """Golden numbers of the original code."""
    return _folder(SHARED / "reference")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos with panoptic ground truth."""
    return _folder(SHARED / "data")


@pytest.fixture(scope="session")
def easy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a data set that is learnt in seconds; read only."""
    folder = tmp_path_factory.mktemp("easy")
    write_easy_set(folder)
    return folder


@pytest.fixture
def recipe(tmp_path: Path, easy_data: Path) -> Path:
    """A recipe for it that trains two epochs of two steps; results go to ``tmp_path``."""
    return write_easy_recipe(tmp_path / "easy.yaml", easy_data)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, easy_data: Path) -> "TrainResult":
    """A model that has learnt the easy data; read only."""
    from spatialflow.config import load_config
    from spatialflow.training.run import train

    folder = tmp_path_factory.mktemp("trained")
    path = write_easy_recipe(folder / "easy.yaml", easy_data, epochs=25, val_every=25)
    return train(load_config(path), say=lambda line: None)


@pytest.fixture(scope="session")
def weights(trained: "TrainResult", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a ``.safetensors`` file."""
    from spatialflow.checkpoints import save_model

    path = tmp_path_factory.mktemp("weights") / "easy.safetensors"
    save_model(trained.model, path)
    return path


@pytest.fixture
def spatialflow(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def call(*arguments: object) -> Ended:
        from spatialflow.cli.main import run

        code = run([str(argument) for argument in arguments])
        return Ended(code, *capsys.readouterr())

    return call

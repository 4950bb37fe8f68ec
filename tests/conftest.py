"""Fixtures that find the shared data, which is not part of the repository."""

from pathlib import Path

import pytest

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

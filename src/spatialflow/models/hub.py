"""The Hugging Face Hub: fetching a model's files from it, and telling what went wrong in one line."""

import contextlib
import logging
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from spatialflow.errors import CheckpointError, SpatialFlowError

CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "README.md"
"""What the folder of a model holds, here and on the Hub."""
REACH_SECONDS = 5.0
"""How long the Hub may take to answer at all. The library itself tries for 23 seconds without a network."""
_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CHECKPOINT_SUFFIXES = (".safetensors", ".ckpt", ".pth", ".pt", ".bin")


def is_hub_id(name: str | os.PathLike[str]) -> bool:
    """Whether a model on the Hub can have this name, ``OWNER/NAME``, and it is not that of a weight file."""
    text = str(name)
    return _ID.fullmatch(text) is not None and not text.lower().endswith(_CHECKPOINT_SUFFIXES)


def fetch(
    model_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
) -> Path:
    """The folder in the cache that holds a Hub model's ``config.json`` and ``model.safetensors``.

    Without a network, what an earlier call left in the cache is used.

    Args:
        model_id: ``OWNER/NAME``.
        revision: a branch, tag or commit; by default the newest.
        token: to read private models; by default that of ``hf auth login``.
        cache_dir: where downloads are kept; by default the library's own.
        force_download: fetch the files even if they are in the cache.
        local_files_only: never ask the Hub.

    Raises:
        CheckpointError: there is no such model or file, it is private, or the Hub cannot be reached.
    """
    reason = None if local_files_only else _unreachable()
    cached_only = local_files_only or reason is not None
    folder: Path | None = None
    for name in (CONFIG_FILE, WEIGHTS_FILE):  # the small one first: it tells whether the model is ours
        try:
            with quiet_hub():
                file = hf_hub_download(
                    model_id,
                    name,
                    revision=folder.name if folder else revision,  # both of one commit
                    token=token,
                    cache_dir=Path(cache_dir) if cache_dir else None,
                    force_download=force_download and not cached_only,
                    local_files_only=cached_only,
                )
        except (HfHubHTTPError, EntryNotFoundError, OSError, ValueError) as error:
            raise CheckpointError(_explain(model_id, name, error, reason)) from error
        folder = Path(file).parent
    assert folder is not None
    return folder


@contextlib.contextmanager
def pushing(repo_id: str) -> Iterator[None]:
    """Find out whether the Hub can be reached, and tell the errors of an upload in one line.

    Raises:
        SpatialFlowError: the Hub cannot be reached or refuses.
    """
    keep = "save_pretrained(FOLDER) keeps the model here until then"
    if reason := _unreachable():
        raise SpatialFlowError(
            f"{repo_id}: cannot be pushed, {constants.ENDPOINT} cannot be reached ({reason}); try again with "
            f"a network, {keep}"
        )
    try:
        with quiet_hub():
            yield
    except SpatialFlowError:
        raise
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        remedy = (
            "log in with `hf auth login` or give token=, of an account that may write there"
            if status in (401, 403)
            else "check the name and try again"
        )
        raise SpatialFlowError(
            f"{repo_id}: the Hub refuses the upload ({_first_line(error)}); {remedy}, {keep}"
        ) from error
    except (OSError, ValueError) as error:
        raise SpatialFlowError(
            f"{repo_id}: cannot be pushed ({_first_line(error)}); a name is OWNER/NAME, {keep}"
        ) from error


def _unreachable() -> str | None:
    """Why the Hub does not answer; None if it does, with whatever."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=REACH_SECONDS):
            return None
    except urllib.error.HTTPError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):  # certificates are the library's own affair
            return None
        return getattr(reason, "strerror", None) or str(reason)


@contextlib.contextmanager
def quiet_hub() -> Iterator[None]:
    """Without the library's log of its retries: that they failed is an error of ours, which says it once."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _explain(model_id: str, name: str, error: Exception, unreachable: str | None) -> str:
    local = "a local folder that save_pretrained wrote works without a network"
    if unreachable:
        return (
            f"{model_id}: no such file or folder here, none of that name in the cache, and "
            f"{constants.ENDPOINT} cannot be reached ({unreachable}); check the name and the network, {local}"
        )
    if isinstance(error, GatedRepoError):
        return f"{model_id}: its owners let in only whom they accept; ask on its page, and give token="
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{model_id}: no such file or folder here, and no such model on the Hub, or a private one; check "
            f"the name, or give token=; {local}"
        )
    if isinstance(error, RevisionNotFoundError):
        return (
            f"{model_id}: has no such revision; give a branch, tag or commit that its page on the Hub lists"
        )
    if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
        return f"{model_id}: has no {name}, so it is no model of spatialflow; give one that push_to_hub wrote"
    if isinstance(error, LocalEntryNotFoundError):
        cause = _first_line(error.__cause__) if error.__cause__ else "only the cache was asked"
        return f"{model_id}: {name}: is not in the cache and was not fetched ({cause}); {local}"
    return f"{model_id}: {name}: cannot be fetched ({_first_line(error)}); {local}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")

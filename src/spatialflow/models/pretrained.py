"""``from_pretrained``, ``save_pretrained``, ``push_to_hub``, as models on the Hugging Face Hub have them."""

import os
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from huggingface_hub import ModelHubMixin

from spatialflow.categories import Categories
from spatialflow.config import Config
from spatialflow.errors import CheckpointError, ConfigError
from spatialflow.models.card_evaluation import TASK, Evaluation
from spatialflow.models.folder import read_folder, write_folder
from spatialflow.models.hub import fetch, is_hub_id, pushing
from spatialflow.models.model_card import LICENSE_UNKNOWN, model_card
from spatialflow.models.weights import load_weights

if TYPE_CHECKING:
    from spatialflow.models.spatialflow import SpatialFlow


class Pretrained(
    ModelHubMixin,
    library_name="spatialflow",
    pipeline_tag=TASK,
    paper_url="https://arxiv.org/abs/1910.08787",
):
    """What :class:`~spatialflow.models.spatialflow.SpatialFlow` can do with folders and the Hub."""

    @classmethod
    @abstractmethod
    def build(cls, config: Config, categories: Categories) -> "SpatialFlow":
        """The network a config describes."""

    @classmethod
    def from_pretrained(  # type: ignore[override]  # no further arguments: config.json says all
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        device: str | torch.device | None = None,
    ) -> "SpatialFlow":
        """Read a model from a folder, or from the Hugging Face Hub; ready to predict (evaluation mode).

        Nothing but ``config.json`` and ``model.safetensors`` is read, so no code of others runs.

        Args:
            pretrained_model_name_or_path: a folder that :meth:`save_pretrained` wrote, or else ``OWNER/NAME``
                on the Hub.
            revision: a branch, tag or commit of the Hub; by default the newest.
            token: for private models; by default that of ``hf auth login``.
            cache_dir: where downloads are kept; by default the Hub library's own.
            force_download: fetch again what is in the cache.
            local_files_only: do not ask the Hub.
            device: where to put the model; the CPU by default.

        Raises:
            CheckpointError: no such folder or model, no network, or files that are damaged or of another
                library.
            ConfigError: ``config.json`` has a wrong key or value.
        """
        source = str(pretrained_model_name_or_path)
        folder = Path(source)
        if folder.is_file():
            raise CheckpointError(f"{source}: is a file; read it with sf.load_model, or give its folder")
        if not folder.is_dir():
            if not is_hub_id(source):
                raise CheckpointError(
                    f"{source}: no such folder, and no name that a model on the Hub can have (OWNER/NAME); "
                    f"check the path"
                )
            folder = fetch(
                source,
                revision=revision,
                token=token,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
            )
        state, config, categories = read_folder(folder, source)
        model = cls.build(config, categories)
        load_weights(model, state, source)
        return model.to(device or "cpu").eval()

    def save_pretrained(  # type: ignore[override]  # the mixin's `config` is the model's own
        self,
        save_directory: str | os.PathLike[str],
        *,
        evaluation: Evaluation | None = None,
        dataset: str | None = None,
        license: str = LICENSE_UNKNOWN,
        dtype: torch.dtype | None = None,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: dict[str, Any] | None = None,
        config: None = None,
        **push_to_hub_kwargs: Any,
    ) -> str | None:
        """Write ``config.json``, ``model.safetensors`` and a model card, ``README.md``.

        Args:
            save_directory: the folder; made if need be. A ``README.md`` in it that we did not write stays.
            evaluation: what ``spatialflow evaluate --json-out`` wrote or :func:`spatialflow.evaluate_pq`
                returned, for the card; without it the card says that no evaluation was given.
            dataset: the name of the data that were evaluated on.
            license: of the weights, as the Hub abbreviates it (``apache-2.0``); it depends on the data.
            dtype: store floating-point tensors in this type (``torch.float16`` halves the file).
            repo_id: ``OWNER/NAME`` on the Hub, for the card's example and for ``push_to_hub``.
            push_to_hub: then also upload, see :meth:`push_to_hub`.
            model_card_kwargs: the card's arguments as the mixin passes them on; use those above.
            config: not used: the model has its own.
            push_to_hub_kwargs: further arguments of :meth:`push_to_hub`.

        Returns:
            The address of the upload, if there is one.

        Raises:
            OutputError: the folder cannot be written to.
            DataError: the evaluation is none of ours, or of other categories.
        """
        if config is not None:
            raise ConfigError("config: a model saves its own; leave it out, or change model.config")
        folder = Path(save_directory)
        facts: dict[str, Any] = {"evaluation": evaluation, "dataset": dataset, "license": license}
        facts |= {"dtype": dtype, "repo_id": repo_id or folder.resolve().name} | (model_card_kwargs or {})
        dtype = facts.pop("dtype")
        model = cast("SpatialFlow", self)
        write_folder(model, folder, model_card(model, **facts), dtype)
        name = facts.pop("repo_id")
        return self.push_to_hub(name, dtype=dtype, **facts, **push_to_hub_kwargs) if push_to_hub else None

    def push_to_hub(
        self,
        repo_id: str,
        *,
        evaluation: Evaluation | None = None,
        dataset: str | None = None,
        license: str = LICENSE_UNKNOWN,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> str:
        """Upload what :meth:`save_pretrained` writes to the Hugging Face Hub, in one commit.

        Args:
            repo_id: ``OWNER/NAME``; made if need be.
            evaluation: see :meth:`save_pretrained`.
            dataset: likewise.
            license: likewise.
            dtype: likewise.
            options: those of ``huggingface_hub.ModelHubMixin.push_to_hub``: ``private``, ``token``,
                ``branch``, ``create_pr``, ``commit_message``.

        Returns:
            The commit's address.

        Raises:
            SpatialFlowError: the Hub cannot be reached or refuses.
        """
        card: dict[str, Any] = {"evaluation": evaluation, "dataset": dataset, "license": license}
        card["repo_id"] = repo_id
        model_card(cast("SpatialFlow", self), **card)  # tells what is wrong with it, first
        with pushing(repo_id):
            return str(super().push_to_hub(repo_id, model_card_kwargs=card | {"dtype": dtype}, **options))

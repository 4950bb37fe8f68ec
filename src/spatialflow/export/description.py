"""What an exported file says of itself, so that it can be served from that one file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from spatialflow.categories import Categories
from spatialflow.config import Config, config_from_dict
from spatialflow.errors import CheckpointError

FORMAT = "spatialflow-export-1"


@dataclass(frozen=True, slots=True)
class Description:
    """An exported graph: what it takes, what it gives, and what the model in it knows."""

    config: Config
    """With the preprocessing (section ``data``) and the merge settings (``model.merge``)."""
    categories: Categories
    uint8: bool
    """Whether it takes the photo's pixels rather than the network's input."""
    merged: bool
    """Whether it gives the panoptic map, too."""
    size: tuple[int, int] | None
    """Height and width of the one size of image it takes; none if it takes all."""
    quantised: bool = False
    """Whether its weights and activations are 8-bit integers."""
    version: str = ""
    """Of spatialflow, that wrote it."""

    def to_metadata(self) -> dict[str, str]:
        """As texts by name, which every format of files has room for."""
        return {
            "format": FORMAT,
            "version": version("spatialflow"),
            "config": self.config.model_dump_json(),
            "categories": json.dumps(self.categories.to_json()),
            "graph": json.dumps(
                {
                    "uint8": self.uint8,
                    "merged": self.merged,
                    "size": self.size,
                    "quantised": self.quantised,
                }
            ),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> "Description":
        """Read it again; ``source`` is the file that errors name.

        Raises:
            CheckpointError: the file is not one of ours, or damaged.
        """
        if metadata.get("format") != FORMAT:
            raise CheckpointError(
                f"{source}: format: this is no model that spatialflow exported; write one with `spatialflow "
                f"export`"
            )
        try:
            config, categories, graph = (json.loads(metadata[k]) for k in ("config", "categories", "graph"))
            size = graph["size"] and (int(graph["size"][0]), int(graph["size"][1]))
            return cls(
                config_from_dict(config, source),
                Categories.from_json(categories, source),
                bool(graph["uint8"]),
                bool(graph["merged"]),
                size or None,
                bool(graph["quantised"]),
                metadata.get("version", ""),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"{source}: its description cannot be read ({error}), so the file is damaged or of another "
                f"version; export it again"
            ) from error

    @property
    def input_names(self) -> tuple[str, ...]:
        """Of the graph's inputs, in order."""
        return ("image",) if self.uint8 else ("image", "image_size", "photo_size")

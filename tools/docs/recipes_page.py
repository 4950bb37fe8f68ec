"""The page of the recipes, made of their YAML files and of the models they build."""

from collections.abc import Iterator
from importlib import resources

from prose import cell

from spatialflow.config import Config, load_config, recipe_names
from spatialflow.models.spatialflow import build_model


def recipes_page() -> str:
    """A table of all recipes, then what each file says."""
    names = sorted(recipe_names(), key=_paper_first)
    lines = ["| recipe | backbone | parameters | photos | training |", "|---|---|---:|---|---|"]
    lines += [_row(name) for name in names]
    lines.append("")
    for name in names:
        lines += _section(name)
    return "\n".join(lines)


def _paper_first(name: str) -> tuple[bool, int, str]:
    """The paper's three models by size, then the others."""
    order = ("_r50_fpn_20e", "_r101_fpn_20e", "_r101_dcn")
    place = next((i for i, part in enumerate(order) if part in name), len(order))
    return place == len(order), place, name


def _row(name: str) -> str:
    config = load_config(name)
    longer, shorter = config.data.test_scale
    train = config.train
    how = f"{train.optimizer}, {train.epochs} epochs, rate {train.lr:g} at {train.base_batch} photos a step"
    deformable = ", deformable" if config.model.deformable.subnets else ""
    return (
        f"| [`{name}`](#{name}) | {cell(config.model.backbone)}{deformable} | {_parameters(config):.1f} M "
        f"| {longer}x{shorter} | {how} |"
    )


def _parameters(config: Config) -> float:
    """Millions; of the classes that the recipe names, COCO's unless it says otherwise."""
    return sum(p.numel() for p in build_model(config).parameters()) / 1e6


def _section(name: str) -> Iterator[str]:
    text = resources.files("spatialflow").joinpath("configs", f"{name}.yaml").read_text(encoding="utf-8")
    comment = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]
    content = "\n".join(line for line in text.splitlines() if not line.startswith("#")).strip()
    yield f"## {name}"
    yield ""
    yield cell(" ".join(comment))
    yield ""
    if content:
        yield f"```yaml\n{content}\n```"
        yield ""

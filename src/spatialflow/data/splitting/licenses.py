"""The licences of photos, which COCO's files list and number."""

from typing import Any


def merge_licenses(first: Any, second: Any) -> tuple[list[Any], dict[str, int]]:
    """One list of the ``licenses`` of two files.

    Args:
        first: the list whose ids stay; anything else counts as empty.
        second: the list whose ids may have to change, likewise.

    Returns:
        The list of both, and the new ids of the second by the old ones as texts.
    """
    merged = [entry for entry in first or () if _is_license(entry)] if isinstance(first, list) else []
    new_ids: dict[str, int] = {}
    for entry in second if isinstance(second, list) else ():
        if not _is_license(entry):
            continue
        same = next((other for other in merged if _terms(other) == _terms(entry)), None)
        if same is None:
            taken = {other["id"] for other in merged}
            same = {**entry, "id": entry["id"] if entry["id"] not in taken else max(taken) + 1}
            merged.append(same)
        new_ids[str(entry["id"])] = same["id"]
    return merged, new_ids


def _is_license(entry: Any) -> bool:
    return isinstance(entry, dict) and type(entry.get("id")) is int


def _terms(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "id"}

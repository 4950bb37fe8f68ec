"""The result as HTML: the picture, a map of its segments for the pointer, and a table of them.

``view.js`` brings it to life. The map travels as numbers, not as a picture, because browsers that guard
against fingerprinting falsify the pixels that scripts read.
"""

import base64
import io
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.structures import PanopticPrediction, Segment
from spatialflow.visualize import draw_overlay
from spatialflow.visualize.colors import Color, instance_colors
from spatialflow.visualize.index_map import enlarge_smoothly

_SIDE = 1280
"""Longer side in pixels of what the page shows; the file to download has all of them."""

EMPTY = (
    '<div class="sf-empty"><p>The result appears here.</p>'
    "<p>Drop or paste a photo, or choose an example.</p></div>"
)


def refusal_html(reason: str) -> str:
    """What stands in the result's place when there is none; ``reason`` begins with the file's name."""
    return f"<div class='sf-empty sf-refused' role='alert'><p>No result</p><p>{escape(reason)}</p></div>"


def result_html(photo: NDArray[np.uint8], prediction: PanopticPrediction) -> str:
    """Picture, map and table of a prediction for a photo, (H, W, 3) RGB.

    A large photo is drawn at the size that the page shows, which takes a fraction of the time.
    """
    ids = _reduced(prediction.segment_ids.cpu().numpy())
    if ids.shape != photo.shape[:2]:
        photo = cv2.resize(photo, ids.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
    shown = draw_overlay(photo, ids, prediction.segments)
    if (factor := shown.width // ids.shape[1]) > 1:  # a small photo, which was enlarged
        ids = enlarge_smoothly(ids.astype(np.uint32), factor).astype(np.int32)
    colors = dict(zip(prediction.segments, instance_colors(prediction.segments, "order"), strict=True))
    ordered = sorted(prediction.segments, key=lambda s: (not s.is_thing, -s.score if s.is_thing else -s.area))
    total = prediction.segment_ids.numel()
    rows = "".join(_row(segment, total, colors[segment]) for segment in ordered)
    things = sum(segment.is_thing for segment in ordered)
    summary = f"{_count(things, 'thing')} and {_count(len(ordered) - things, 'stuff region')}"
    if not ordered:
        return f"{_figure(shown, ids, 'no segments')}<p class='sf-none'>Nothing above these thresholds.</p>"
    return (
        f"{_figure(shown, ids, summary)}<p class='sf-summary'>{summary}<span class='sf-hint'>"
        f"Point at or tap a segment</span></p><table class='sf-table'><thead><tr><th>Class</th><th>Score</th>"
        f"<th>Area</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _figure(shown: Image.Image, ids: NDArray[np.int32], summary: str) -> str:
    encoded = io.BytesIO()
    shown.save(encoded, "JPEG", quality=88)
    source = base64.b64encode(encoded.getvalue()).decode()
    return (
        f"<div class='sf-figure' data-width='{ids.shape[1]}' data-height='{ids.shape[0]}' "
        f"style='max-width:calc(78vh * {shown.width / shown.height:.4f})' "
        f"data-runs='{encode_runs(ids)}'><img width='{shown.width}' height='{shown.height}' "
        f"alt='The photo with {escape(summary)} drawn over it' src='data:image/jpeg;base64,{source}'>"
        f"<canvas aria-hidden='true'></canvas><div class='sf-tip' role='status' hidden></div></div>"
    )


def _row(segment: Segment, total: int, color: Color) -> str:
    """One segment of the table; what the pointer shows is read from here."""
    red, green, blue = color
    share = f"{100 * segment.area / total:.1f}".rstrip("0").rstrip(".")
    kind = "thing" if segment.is_thing else "stuff"
    return (
        f"<tr tabindex='0' data-segment='{segment.id}' data-kind='{kind}'>"
        f"<td><i style='background:rgb({red},{green},{blue})'></i>"
        f"<span class='sf-class'>{escape(segment.category.name)}</span></td>"
        f"<td>{segment.score:.2f}</td><td title='{segment.area} pixels'>{segment.area:,} px "
        f"<small>{share}&#8239;%</small></td></tr>"
    )


def _reduced(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """The map at no more than the picture's resolution on the page."""
    height, width = ids.shape
    factor = _SIDE / max(height, width)
    if factor >= 1:
        return ids
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(ids.astype(np.float64), size, interpolation=cv2.INTER_NEAREST).astype(np.int32)


def encode_runs(ids: NDArray[np.int32]) -> str:
    """An id map (H, W) as text, row after row: each run of one id as ``id,length``, runs parted by blanks."""
    flat = ids.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=flat[:1] - 1))
    lengths = np.diff(starts, append=flat.size)
    return " ".join(f"{v},{n}" for v, n in zip(flat[starts].tolist(), lengths.tolist(), strict=True))

"""Draws the picture of docs/video.md: four frames of a synthetic clip, with the ids that the tracker keeps.

python tools/draw_video_strip.py docs/images/video.jpg
"""

import argparse
from dataclasses import replace
from pathlib import Path

from PIL import Image

import spatialflow as sf
from spatialflow.data.synthetic_clip import draw_clip
from spatialflow.image_io import write_photo
from spatialflow.video.names import SteadyNames
from spatialflow.visualize import draw_overlay

FRAMES = (2, 6, 10, 14)
FACTOR, GAP = 3, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    predictor, tracker, names = sf.Predictor(sf.load_model("tiny")), sf.Tracker(), SteadyNames()
    pictures = []
    for number, frame in enumerate(draw_clip(arguments.seed, FRAMES[-1] + 1)):
        prediction = tracker.update(predictor.predict(frame.photo))
        height, width = frame.ids.shape
        larger = Image.fromarray(frame.photo).resize(
            (width * FACTOR, height * FACTOR), Image.Resampling.BICUBIC
        )
        ids = prediction.segment_ids.numpy().repeat(FACTOR, 0).repeat(FACTOR, 1)
        segments = [replace(s, box=tuple(FACTOR * side for side in s.box)) for s in prediction.segments]
        picture = draw_overlay(larger, ids, segments, labels=False, color_by="id", min_side=0)
        names.write(picture, ids, segments)
        if number in FRAMES:
            pictures.append(picture)
    width, height = pictures[0].size
    strip = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height), "white")
    for place, picture in enumerate(pictures):
        strip.paste(picture, (place * (width + GAP), 0))
    write_photo(arguments.out, strip)


if __name__ == "__main__":
    main()

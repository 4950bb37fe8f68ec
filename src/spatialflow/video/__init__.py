"""Video: frames in, an overlay video and panoptic frames out, with ids of things that last."""

from spatialflow.video.segment import VideoResult, segment_video
from spatialflow.video.synthetic import write_synthetic_clip
from spatialflow.video.tracking import Tracker, TrackerConfig

__all__ = ["Tracker", "TrackerConfig", "VideoResult", "segment_video", "write_synthetic_clip"]

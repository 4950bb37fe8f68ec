"""Pictures of panoptic results: tinted segments, contours and class names over the photo."""

from spatialflow.visualize.index_map import enlargement
from spatialflow.visualize.overlay import PlotOptions, draw_overlay, write_names
from spatialflow.visualize.void import paint_void

__all__ = ["PlotOptions", "draw_overlay", "enlargement", "paint_void", "write_names"]

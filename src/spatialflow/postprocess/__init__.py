"""From dense outputs to detections and panoptic maps."""

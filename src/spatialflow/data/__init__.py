"""Photos and COCO-panoptic annotations to batches; synthetic data."""

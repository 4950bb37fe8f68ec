"""Masks and id maps as numbers: areas, boxes, runs, COCO's run lengths, outlines."""

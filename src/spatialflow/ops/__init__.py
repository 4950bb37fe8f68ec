"""Pure tensor functions: anchors, boxes, assignment, masks, losses."""

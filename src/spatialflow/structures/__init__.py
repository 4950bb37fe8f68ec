"""What flows between the parts: network outputs, targets, batches, detections, panoptic predictions."""

from spatialflow.structures.outputs import DenseOutputs, Detections
from spatialflow.structures.prediction import PanopticPrediction
from spatialflow.structures.segment import Segment
from spatialflow.structures.targets import Batch, Target

__all__ = ["Batch", "DenseOutputs", "Detections", "PanopticPrediction", "Segment", "Target"]

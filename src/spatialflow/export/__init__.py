"""Models as files of other programs: ONNX and torch.export, what serves them, and how they are compared."""

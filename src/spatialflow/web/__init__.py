"""``spatialflow serve``: the web page over :class:`~spatialflow.inference.Predictor`, and its endpoint."""

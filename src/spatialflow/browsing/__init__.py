"""Pages to look at a data set, alone or beside predictions of it."""

from spatialflow.browsing.view import ViewResult, view_dataset

__all__ = ["ViewResult", "view_dataset"]

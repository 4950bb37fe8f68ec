"""For griffe, which reads the docstrings: a section titled ``Example`` is one of examples."""

import re
from typing import Any

import griffe

_TITLE = re.compile(r"^Example:$", re.MULTILINE)


class Examples(griffe.Extension):
    """Google's style guide and ours say ``Example:`` of one, griffe knows only ``Examples:``."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called with everything that is found."""
        if obj.docstring:
            obj.docstring.value = _TITLE.sub("Examples:", obj.docstring.value)

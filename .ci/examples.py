"""Shows the examples of docstrings as code: the house's heading is `Example:`, the site's parser knows `Examples:`."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLES = re.compile(r"^Examples:\n(?:(?: .*)?\n?)*", re.MULTILINE)


class Examples(griffe.Extension):
    """Renames the heading before a docstring is parsed, and moves the examples of a class below its parameters."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Take one object of the library."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Take one class: the site shows the docstring of its constructor behind that of the class."""
        init = cls.members.get("__init__")
        if cls.docstring is None or init is None or init.docstring is None:
            return
        if found := _EXAMPLES.search(cls.docstring.value):
            cls.docstring.value = cls.docstring.value.replace(found[0], "").strip()
            init.docstring.value += f"\n\n{found[0].strip()}"

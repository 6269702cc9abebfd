"""Shows the type of an attribute that is a parameter of the constructor, as in `self.code = code`."""

from __future__ import annotations

from typing import Any

import griffe


class AttributeTypes(griffe.Extension):
    """Copies the annotation of the parameter to the attribute."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Take one class of the library."""
        init = cls.members.get("__init__")
        if not isinstance(init, griffe.Function):
            return
        for name, member in cls.members.items():
            if isinstance(member, griffe.Attribute) and member.annotation is None and str(member.value) == name:
                member.annotation = next((each.annotation for each in init.parameters if each.name == name), None)

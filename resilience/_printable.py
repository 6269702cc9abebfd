"""Escapes what a terminal would act on, in texts whose parts an API or a user chose: control and direction characters.

A server chooses codes and messages. Raw in a log line, an escape sequence in one moves the cursor, a line break forges
a second line, and a direction mark shows other digits than were sent.
"""

from __future__ import annotations

__all__ = ["printable"]

_SPACES = "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""Spaces other than the plain one (Unicode's category Zs). `isprintable` rejects them, and terminals show them."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with everything escaped that is not to be seen; `keep` has exceptions, such as a line break.

    Example:
        >>> printable("40\u202e010\n")
        '40\\u202e010\\n'
    """
    if text.isprintable():  # nearly every text
        return text
    return "".join(letter if letter.isprintable() or letter in _SPACES + keep else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")  # a lone surrogate too, which no stream can encode

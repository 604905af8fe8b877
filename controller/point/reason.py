"""Why something was done or is so, as the one text that commands, alarms and journals carry.

A person's words are one line and the same in both languages. A program says it in both: two lines, zh-TW first. Nobody
can write a line break into words of his own (the API refuses control characters), so these are never taken apart.
"""

from __future__ import annotations

from controller.point.model import Name

__all__ = ["LONGEST", "both", "english", "spoken"]

LONGEST = 500
"""Characters that a reason may have."""
_ZH = 200
"""Chinese says it in fewer."""


def both(name: Name) -> str:
    """Return what a program says in both languages as one text, at most 500 characters; too long a part is cut."""
    zh, en = (" ".join(part.split("\n")) for part in (name.zh, name.en))
    first = zh[: max(_ZH, LONGEST - 1 - len(en))]
    return f"{first}\n{en[: LONGEST - 1 - len(first)]}"


def spoken(reason: str) -> Name:
    """Return a reason in both languages; what is in one only is the same in both."""
    zh, two, en = reason.partition("\n")
    return Name(zh, en if two else zh)


def english(reason: str) -> str:
    """Return a reason for a sentence in English."""
    return spoken(reason).en

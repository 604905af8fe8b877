"""The page of the language of rules."""
# ruff: noqa: INP001, E501 - a part of docs/generate.py, not a package, and full of sentences

from __future__ import annotations

from controller.rule import parse
from controller.rule.window import AGGREGATES
from docs.page.markdown import body, table

__all__ = ["rules"]


def rules() -> str:
    """Return the language of rules with its functions and windows."""
    windows = ", ".join(f"`{name}_15min`" for name in AGGREGATES)
    functions = [
        (f"`{name}`", str(least) if least == most else f"{least} to {most}")
        for name, (least, most) in parse.FUNCTIONS.items()
    ]
    return "\n\n".join(
        [
            "# The language of rules",
            (
                "A rule makes a virtual point on every piece of equipment of its class. Keys of `[[rule]]`: "
                "[settings](settings.md#rulestoml)."
            ),
            body(parse),
            "## Functions",
            table(("function", "arguments"), functions),
            (
                f"Durations: {', '.join(f'`{name}(…)`' for name in parse.DURATIONS)}. "
                f"Names that every rule has: {', '.join(f'`{name}`' for name in parse.CALENDAR)}."
            ),
            "## Windows of an input",
            (
                f'`window = "…"` gives an aggregate of the last seconds, minutes or hours instead of the present value: '
                f"{windows} and so on, with `s`, `min` or `h`, at most 24 h."
            ),
        ]
    )

"""Base of the models of the API: strict, finite, bounded, and nothing unknown."""

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from controller.errors import InvalidError

__all__ = ["Address", "Body", "Cursor", "Finite", "Item", "Limit", "Line", "NameReply", "Page", "page_of", "plain"]

T = TypeVar("T")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def plain(text: str) -> str:
    """Return text for one line of a journal, or refuse it: no control, no surrogate, no bidirectional override."""
    if any(ord(char) < 32 or 127 <= ord(char) < 160 or "\ud800" <= char <= "\udfff" or char in _BIDI for char in text):
        raise ValueError("control characters, lone surrogates and direction marks are not allowed")
    return text


class Body(BaseModel):
    """A request: unknown keys are errors, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, str_max_length=10_000)


class Item(BaseModel):
    """A part of a response."""

    model_config = ConfigDict(extra="forbid")


class NameReply(Item):
    """A name in both languages."""

    zh: str
    en: str


class Page(Item, Generic[T]):
    """A page of a list; `next` is the cursor of the next one, null at the end."""

    items: list[T]
    next: str | None


Finite = Annotated[FiniteFloat, Field(ge=-1e15, le=1e15)]
Line = Annotated[str, StringConstraints(max_length=500), AfterValidator(plain)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(plain)]
Cursor = Annotated[str | None, Query(max_length=40, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000, description="items of a page")]


def page_of(items: list[Any], cursor: str | None, limit: int, generation: int) -> tuple[list[Any], str | None]:
    """Return one page of a list in memory. The cursor is good as long as the configuration is the same.

    Raises:
        InvalidError: the cursor is none of ours, or of an older configuration.
    """
    start = 0
    if cursor:
        head, _, tail = cursor.partition(".")
        if head != str(generation) or not (tail.isascii() and tail.isdigit() and len(tail) < 12):
            raise InvalidError(f"cursor {cursor!r} is none of this configuration; begin again without a cursor")
        start = int(tail)
    end = start + limit
    return items[start:end], f"{generation}.{end}" if end < len(items) else None

"""Looks into a picture before anybody's browser does: SVG by a list of what is allowed, PNG by its header.

Plans are shown through `<img>` alone, where a browser runs no script of an SVG and fetches nothing for it. They are
refused here all the same, for a plan may be opened by its address or copied elsewhere: elements and attributes that
are not on the lists, every DOCTYPE (and with it every entity: XML 1.0, 4.1 to 4.4), every reference that leaves the
file. `use`, `pattern`, `mask` and `filter` are not on the list, for nested in each other a few lines of them are
minutes of work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pyexpat import ExpatError, ParserCreate, errors
from typing import TYPE_CHECKING, Any

from controller.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["MAX_BYTES", "MEDIA", "Picture", "PictureError", "inspect", "read_picture"]

MAX_BYTES = 5 << 20
MEDIA = {"svg": "image/svg+xml", "png": "image/png"}
_MAX_ELEMENTS = 50_000
_MAX_DEPTH = 64
_MAX_SIDE = 100_000.0
_MAX_PIXELS = 8_192
_PNG = b"\x89PNG\r\n\x1a\n"
_SVG_SPACE = "http://www.w3.org/2000/svg"
_XML_SPACE = "http://www.w3.org/XML/1998/namespace"
_ELEMENTS = (
    "svg g defs title desc path rect circle ellipse line polyline polygon text tspan linearGradient radialGradient "
    "stop clipPath"
)
_ATTRIBUTES = (
    "id class role lang style version viewBox width height x y x1 y1 x2 y2 cx cy r rx ry fx fy d dx dy points offset "
    "rotate textLength lengthAdjust pathLength transform gradientTransform gradientUnits spreadMethod clipPathUnits "
    "preserveAspectRatio baseProfile fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap "
    "stroke-linejoin stroke-dasharray stroke-dashoffset stroke-miterlimit opacity color display visibility overflow "
    "clip-path clip-rule stop-color stop-opacity vector-effect shape-rendering text-rendering paint-order font-family "
    "font-size font-weight font-style font-variant font-stretch letter-spacing word-spacing text-anchor "
    "text-decoration dominant-baseline alignment-baseline baseline-shift writing-mode direction"
)
_TAKEN, _KNOWN = frozenset(_ELEMENTS.split()), frozenset(_ATTRIBUTES.split())
_URL = re.compile(r"url\s*+\(\s*+['\"]?+\s*+(?!#)", re.IGNORECASE)
_STYLE = re.compile(r"[\\@]|/\*|expression|javascript|image\s*\(|image-set", re.IGNORECASE)
_LENGTH = re.compile(r"\s*\+?(\d+(?:\.\d*)?|\.\d+)(px|mm|cm|in|pt|pc)?\s*")
_PLAIN = "Save it as plain SVG, without scripts, styles and links; or as PNG."


@dataclass(frozen=True, slots=True)
class Picture:
    """What a good picture is; `width` and `height` in its own units (SVG) or pixels (PNG)."""

    kind: str
    width: float
    height: float


class PictureError(InvalidError):
    """The picture is not taken; `line` counts from 1, 0 where there is none."""

    def __init__(self, line: int, got: str, wanted: str, todo: str = "") -> None:
        self.line = line
        self.got = got
        self.wanted = wanted
        self.todo = todo
        place = f"line {line}: " if line else ""
        super().__init__(f"{place}got {got}, wanted {wanted}" + (f"; {todo.rstrip('.')}" if todo else ""))


def read_picture(path: Path) -> tuple[bytes, Picture]:
    """Read and inspect a file; one that is too large is refused before it is read.

    Raises:
        PictureError: it is too large, or is no picture that is taken.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise _too_large(size)
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)  # it may have grown since
    return content, inspect(content)


def inspect(content: bytes) -> Picture:
    """Return what the picture is.

    Raises:
        PictureError: too large, neither SVG nor PNG, or with something in it that is not taken.
    """
    if len(content) > MAX_BYTES:
        raise _too_large(len(content))
    return _png(content) if content.startswith(_PNG) else _svg(content)


def _too_large(size: int) -> PictureError:
    todo = "Leave out layers and hatching that a screen does not need, or save a smaller PNG."
    return PictureError(0, f"{size} bytes", f"at most {MAX_BYTES}", todo)


def _png(content: bytes) -> Picture:
    """Read IHDR, which is the first chunk (PNG, third edition, 11.2.1)."""
    if len(content) < 33 or content[8:16] != b"\x00\x00\x00\rIHDR":
        raise PictureError(0, "a PNG without its header", "a whole PNG file")
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if not (1 <= width <= _MAX_PIXELS and 1 <= height <= _MAX_PIXELS):
        wanted = f"1 to {_MAX_PIXELS} pixels each way"
        raise PictureError(0, f"{width} × {height} pixels", wanted, "Save a smaller picture.")
    return Picture("png", width, height)


def _svg(content: bytes) -> Picture:
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise PictureError(1 if content else 0, "a file that begins as neither", "an SVG or PNG file")
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except ExpatError as error:
        raise PictureError(error.lineno, f"no XML ({errors.messages.get(error.code, error.code)})", "an SVG") from error
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise PictureError(1, f"no XML ({error})", "an SVG in UTF-8") from error
    return _sized(reader.root)


@dataclass(slots=True)
class _Reader:
    """The handlers of one parse."""

    parser: Any = field(default_factory=lambda: ParserCreate(namespace_separator="\n"))
    root: Mapping[str, str] = field(default_factory=dict)
    elements: int = 0
    depth: int = 0

    def __post_init__(self) -> None:
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.ProcessingInstructionHandler = self._instruction
        self.parser.XmlDeclHandler = self._declaration

    def _refuse(self, got: str, wanted: str, todo: str = _PLAIN) -> PictureError:
        return PictureError(self.parser.CurrentLineNumber, got, wanted, todo)

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        # A browser would read the file in the encoding that it names; so it is looked at in no other.
        if encoding and encoding.lower() not in ("utf-8", "us-ascii"):
            raise self._refuse(f"the encoding {encoding[:40]}", "UTF-8", "Save it as UTF-8.")

    def _doctype(self, *_: object) -> None:
        raise self._refuse("a DOCTYPE, which can hold entities", "none", "Delete the line <!DOCTYPE …>.")

    def _instruction(self, target: str, _data: str) -> None:
        raise self._refuse(f"a processing instruction <?{target[:40]}", "none", "Delete it.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition("\n")
        self.elements += 1
        self.depth += 1
        if self.depth == 1:
            if (space, local) != (_SVG_SPACE, "svg"):
                raise self._refuse(f"<{local[:40]}>", f'<svg xmlns="{_SVG_SPACE}"> around everything', "")
            self.root = attributes
        elif local == "svg":
            raise self._refuse("an <svg> inside the <svg>", "one", "Ungroup it.")
        if self.elements > _MAX_ELEMENTS or self.depth > _MAX_DEPTH:
            wanted = f"at most {_MAX_ELEMENTS} elements, {_MAX_DEPTH} deep"
            raise self._refuse("more elements", wanted, "Leave out what a screen does not need, or save it as PNG.")
        if space != _SVG_SPACE or local not in _TAKEN:
            raise self._refuse(f"an element <{local[:40]}>", f"one of {', '.join(sorted(_TAKEN))}")
        for key, value in attributes.items():
            self._attribute(local, key, value)

    def _end(self, _name: str) -> None:
        self.depth -= 1

    def _attribute(self, element: str, key: str, value: str) -> None:
        space, _, name = key.rpartition("\n")
        where = f"{name[:40]} of <{element}>"
        if name.lower().startswith("on"):
            raise self._refuse(f"an event handler {where}", "none")
        if name == "href":
            if element.endswith("Gradient") and value.startswith("#"):
                return
            raise self._refuse(f"a link {where}", "none")
        known = name in _KNOWN or name.startswith(("data-", "aria-"))
        if space == _XML_SPACE:
            known = name in ("space", "lang")
        elif space:
            known = False
        if not known:
            raise self._refuse(f"an attribute {where}", "geometry and presentation alone")
        if _URL.search(value):
            raise self._refuse(f"an address outside of the file in {where}", "url(#…) alone")
        if name in ("style", "class", "fill", "stroke", "clip-path", "font-family") and _STYLE.search(value):
            raise self._refuse(f"more than plain declarations in {where}", "such as fill:none;stroke:#888")


def _sized(root: Mapping[str, str]) -> Picture:
    box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
    given = [_number(root.get(side, "")) for side in ("width", "height")]
    try:
        width, height = float(box[2]), float(box[3])
        if len(box) != 4:
            raise ValueError("not four numbers")
    except (ValueError, IndexError):
        if "viewBox" in root or None in given:
            got = f'viewBox "{root["viewBox"][:60]}"' if "viewBox" in root else "no viewBox"
            raise PictureError(1, got, 'viewBox="0 0 1200 800" at <svg>') from None
        width, height = given[0] or 0.0, given[1] or 0.0
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise PictureError(1, f"a size of {width:g} × {height:g}", f"more than 0 and at most {_MAX_SIDE:g} each way")
    if given[0] and given[1] and abs(given[0] / given[1] / (width / height) - 1) > 0.01:
        got = (
            f"width and height of another shape ({given[0]:g} × {given[1]:g}) than the viewBox ({width:g} × {height:g})"
        )
        raise PictureError(1, got, "the same shape", "Delete width and height at <svg>.")
    return Picture("svg", width, height)


def _number(text: str) -> float | None:
    found = _LENGTH.fullmatch(text)
    return float(found.group(1)) if found else None

"""Pictures that come from elsewhere: what is taken, and every nasty one refused at its line with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.plan.picture import MAX_BYTES, PictureError, inspect, read_picture


def _id(value: object) -> str | None:
    return f"{len(value)} bytes" if isinstance(value, bytes) else None


NS = 'xmlns="http://www.w3.org/2000/svg"'


def svg(inside: str = "", head: str = "", **attributes: str) -> bytes:
    given = " ".join(f'{key}="{value}"' for key, value in {"viewBox": "0 0 1200 760", **attributes}.items())
    return f"{head}<svg {NS} {given}>\n{inside}\n</svg>".encode()


def png(width: int, height: int) -> bytes:
    """PNG, third edition, 5.2 and 11.2.1: signature, length 13, IHDR, width, height, depth 8, RGB, 0, 0, 0, CRC."""
    return (
        bytes.fromhex("89504e470d0a1a0a0000000d49484452")
        + width.to_bytes(4, "big")
        + height.to_bytes(4, "big")
        + bytes.fromhex("080200000000000000")
    )


@pytest.mark.parametrize(
    ("content", "kind", "width", "height"),
    [
        (svg('<g fill="none"><path d="M0 0h9"/><text x="3" y="4">B1</text></g>'), "svg", 1200, 760),
        (svg('<rect style="fill:url(#a);stroke:#888"/>'), "svg", 1200, 760),
        (svg('<linearGradient id="a" xmlns:x="http://www.w3.org/1999/xlink" x:href="#b"/>'), "svg", 1200, 760),
        (svg(head='<?xml version="1.0" encoding="UTF-8"?>\n<!-- drawn by hand -->\n'), "svg", 1200, 760),
        (svg(width="600mm", height="380mm"), "svg", 1200, 760),
        (f'<svg {NS} width="300" height="200px"/>'.encode(), "svg", 300, 200),
        (b"\xef\xbb\xbf" + svg(), "svg", 1200, 760),
        (png(1600, 900), "png", 1600, 900),
    ],
    ids=_id,
)
def test_plain_drawings_are_taken(content: bytes, kind: str, width: float, height: float) -> None:
    picture = inspect(content)

    assert (picture.kind, picture.width, picture.height) == (kind, width, height)


@pytest.mark.parametrize(
    ("content", "line", "got"),
    [
        (svg("<script>alert(1)</script>"), 2, "an element <script>"),
        (svg('<SCRIPT xmlns="http://www.w3.org/2000/svg"/>'), 2, "an element <SCRIPT>"),
        (svg('<rect\n onload="alert(1)"/>'), 2, "an event handler onload of <rect>"),
        (svg("", onload="alert(1)"), 1, "an event handler onload of <svg>"),
        (svg('<g OnClick="alert(1)"/>'), 2, "an event handler OnClick"),
        (svg('<a href="javascript:alert(1)"><rect/></a>'), 2, "an element <a>"),
        (svg('<image href="http://198.51.100.1/x.png"/>'), 2, "an element <image>"),
        (svg('<image href="data:image/svg+xml;base64,PHN2Zy8+"/>'), 2, "an element <image>"),
        (svg('<use href="#a"/>'), 2, "an element <use>"),
        (
            svg('<foreignObject><b xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>'),
            2,
            "an element <foreignObject>",
        ),
        (svg('<style>@import "http://198.51.100.1/x.css";</style>'), 2, "an element <style>"),
        (svg('<animate attributeName="href" values="javascript:alert(1)"/>'), 2, "an element <animate>"),
        (svg('<set attributeName="onload" to="alert(1)"/>'), 2, "an element <set>"),
        (svg('<rect fill="url(http://198.51.100.1/x#a)"/>'), 2, "an address outside of the file in fill"),
        (svg('<rect style="fill:url(  &#39;//198.51.100.1/x&#39;)"/>'), 2, "an address outside of the file in style"),
        (svg('<rect style="fill:u\\rl(http://198.51.100.1/x)"/>'), 2, "more than plain declarations in style"),
        (svg('<rect style="width:expression(alert(1))"/>'), 2, "more than plain declarations"),
        (svg('<rect xlink:href="#a" xmlns:xlink="http://www.w3.org/1999/xlink"/>'), 2, "a link href of <rect>"),
        (svg('<linearGradient href="http://198.51.100.1/x#a"/>'), 2, "a link href of <linearGradient>"),
        (svg('<rect xml:base="http://198.51.100.1/"/>'), 2, "an attribute base of <rect>"),
        (svg('<h:script xmlns:h="http://www.w3.org/1999/xhtml"/>'), 2, "an element <script>"),
        (svg('<rect filter="url(#a)"/>'), 2, "an attribute filter of <rect>"),
        (svg('<svg viewBox="0 0 1 1"/>'), 2, "an <svg> inside the <svg>"),
        (
            svg(head='<?xml-stylesheet href="http://198.51.100.1/x.css"?>\n'),
            1,
            "a processing instruction <?xml-stylesheet",
        ),
        (svg("&lol;", head='<!DOCTYPE svg [<!ENTITY lol "lol">]>\n'), 1, "a DOCTYPE"),
        (svg("&x;", head='<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'), 1, "a DOCTYPE"),
        (svg(head='<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">\n'), 1, "a DOCTYPE"),
        (svg(head='<?xml version="1.0" encoding="utf-7"?>\n'), 1, "the encoding utf-7"),
        (svg("&undefined;"), 2, "no XML (undefined entity)"),
        (svg("<rect>"), 3, "no XML (mismatched tag)"),
        (svg()[:-3], 3, "no XML"),
        (b'<html xmlns="http://www.w3.org/1999/xhtml"/>', 1, "<html>"),
        (b'<svg viewBox="0 0 1 1"/>', 1, "<svg>"),
        (b"%PDF-1.7", 1, "a file that begins as neither"),
        (b"", 0, "a file that begins as neither"),
        (svg("<g>" * 70 + "</g>" * 70), 2, "more elements"),
        (svg("<g/>" * 50_001), 2, "more elements"),
        (svg(viewBox="0 0 0 5"), 1, "a size of 0 × 5"),
        (svg(viewBox="0 0 1e9 1e9"), 1, "a size of"),
        (svg(viewBox="0 0 nan 5"), 1, "a size of nan"),
        (svg(viewBox="a b c d"), 1, 'viewBox "a b c d"'),
        (f"<svg {NS}/>".encode(), 1, "no viewBox"),
        (svg(width="100", height="900"), 1, "width and height of another shape"),
        (png(9000, 10), 0, "9000 × 10 pixels"),
        (png(0, 10), 0, "0 × 10 pixels"),
        (png(10, 10)[:20], 0, "a PNG without its header"),
        (bytes.fromhex("89504e470d0a1a0a") + b"\0" * 40, 0, "a PNG without its header"),
    ],
    ids=_id,
)
def test_everything_else_is_refused_at_its_line(content: bytes, line: int, got: str) -> None:
    with pytest.raises(PictureError) as caught:
        inspect(content)

    assert caught.value.line == line
    assert got in caught.value.got
    assert caught.value.wanted


def test_fifty_megabytes_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.svg"
    with path.open("wb") as file:
        file.truncate(50 << 20)

    def read(*_: object, **__: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(Path, "open", read)
    with pytest.raises(PictureError, match=f"{50 << 20} bytes, wanted at most {MAX_BYTES}"):
        read_picture(path)

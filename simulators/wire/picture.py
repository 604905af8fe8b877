"""Pictures of the simulated cameras: a corridor, the camera's name, the time, and a figure that walks through.

Drawn when somebody asks, in a few milliseconds; the same camera and second give the same picture.
"""

from __future__ import annotations

import io
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["draw"]

_WIDTH, _HEIGHT = 480, 270
_QUALITY = 55
_WALK_S = 24.0
"""Seconds in which a figure crosses the picture."""
_ZONE = ZoneInfo("Asia/Taipei")


def draw(camera: str, time_ns: int, *, motion: bool = False, covered: bool = False, lost: bool = False) -> bytes:
    """Return one JPEG.

    Raises:
        RuntimeError: Pillow is missing (extra `demo`).
    """
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - optional: only for those who look
    except ImportError:
        raise RuntimeError("no pictures: install the extra with `pip install shifu-bms[demo]` (pillow)") from None
    seed = zlib.crc32(camera.encode())
    shade = 70 + seed % 60
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), (12, 12, 14) if covered or lost else (shade, shade + 4, shade + 8))
    pen = ImageDraw.Draw(picture)
    if not covered and not lost:
        _corridor(pen, seed, shade)
        if motion:
            _figure(pen, seed, time_ns)
    pen.rectangle((0, 0, _WIDTH, 26), fill=(0, 0, 0))
    moment = datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone(_ZONE)
    pen.text((8, 4), camera.upper(), fill=(255, 255, 255), font=_font(16))
    pen.text((_WIDTH - 176, 4), f"{moment:%Y-%m-%d %H:%M:%S}", fill=(255, 255, 255), font=_font(16))
    if lost:
        pen.text((_WIDTH // 2 - 60, _HEIGHT // 2 - 12), "NO SIGNAL", fill=(255, 255, 255), font=_font(24))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


@lru_cache(maxsize=4)
def _font(size: int) -> Any:
    from PIL import ImageFont  # noqa: PLC0415 - as above

    return ImageFont.load_default(size)


def _corridor(pen: Any, seed: int, shade: int) -> None:
    """Draw floor, far wall, and a few doors by the camera's own numbers."""
    middle = _WIDTH // 2 + seed % 80 - 40
    wall = (shade + 30, shade + 32, shade + 34)
    pen.polygon([(0, _HEIGHT), (middle - 60, 150), (middle + 60, 150), (_WIDTH, _HEIGHT)], fill=(shade - 30,) * 3)
    pen.rectangle((middle - 60, 70, middle + 60, 150), fill=wall)
    for number in range(1 + seed // 7 % 3):
        left = 30 + number * 60 + seed // 11 % 20
        pen.rectangle((left, 90 + number * 8, left + 34, 210 - number * 16), fill=(shade - 16, shade - 20, shade - 24))


def _figure(pen: Any, seed: int, time_ns: int) -> None:
    """Draw somebody who walks from one side to the other: no face, no name."""
    share = (time_ns / 1e9 / _WALK_S + seed % 97 / 97.0) % 1.0
    x, swing = 40 + share * (_WIDTH - 80), 8 if int(time_ns / 5e8) % 2 else -8
    coat = (40 + seed % 120, 50 + seed // 3 % 90, 90 + seed // 5 % 100)
    pen.ellipse((x - 9, 120, x + 9, 138), fill=(205, 180, 160))
    pen.rounded_rectangle((x - 14, 138, x + 14, 190), 6, fill=coat)
    pen.line((x - 6, 190, x - 6 - swing, 236), fill=(30, 30, 36), width=8)
    pen.line((x + 6, 190, x + 6 + swing, 236), fill=(30, 30, 36), width=8)

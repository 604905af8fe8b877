"""Files that people brought along (drawings, documents), answered so that a browser can only show or save them."""

import hashlib
import re
from typing import Any

from fastapi import Request
from starlette.responses import Response

__all__ = ["FILE", "FOREIGN_CSP", "etag_of", "file_response", "not_modified"]

FOREIGN_CSP = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""Nothing is loaded, nothing runs, and what is shown has an origin of its own (CSP Level 3, 6.3.2 sandbox)."""
FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}},
    304: {"description": "not changed"},
}
_ODD = re.compile(r"[^A-Za-z0-9._-]")


def etag_of(data: bytes) -> str:
    """Return the ETag of something."""
    return f'"{hashlib.sha256(data).hexdigest()[:24]}"'


def not_modified(request: Request, etag: str) -> bool:
    """Tell whether the client has it already."""
    return etag in [part.strip() for part in request.headers.get("if-none-match", "").split(",")]


def file_response(
    request: Request, content: bytes, media: str, name: str, etag: str, *, caching: str = "private, no-cache"
) -> Response:
    """Return a file; pictures are shown, everything else is saved."""
    headers = {"ETag": etag, "Cache-Control": caching, "Content-Security-Policy": FOREIGN_CSP}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    shown = "inline" if media.startswith("image/") else "attachment"
    headers["Content-Disposition"] = f'{shown}; filename="{_ODD.sub("-", name)}"'
    return Response(content, media_type=media, headers=headers)

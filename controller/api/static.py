"""The control room as built files: hashed assets for ever, the shell never from a cache.

The files are listed once, when the application is made, and a request is only looked up in that list: no path of a
request ever reaches the file system (OWASP ASVS 12.3.1).
"""

import gzip
import mimetypes
import re
from pathlib import Path

from fastapi import APIRouter, Depends, Request
from starlette.responses import FileResponse, Response

from controller.api.health import Open
from controller.api.problem import Problem

__all__ = ["build_router", "list_files"]

_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
}
_PAGE = re.compile(
    r"(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_#%-]+)*)?/?|(?:points|equipment|alarms|devices)/[A-Za-z0-9._#%/-]+"
)
_TEXT = (".js", ".mjs", ".css", ".html", ".svg", ".json", ".webmanifest")
"""Sent compressed, once made, to whoever takes it; fonts are compressed as they are."""
_RESERVED = ("api/", "healthz", "readyz", "metrics")


def list_files(folder: Path) -> dict[str, Path]:
    """Return the files below a folder by their path in an address; links that lead out of it are left out."""
    root = folder.resolve()
    return {
        path.relative_to(root).as_posix(): path
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.resolve().is_relative_to(root)
    }


def build_router(folder: Path | None) -> APIRouter:
    """Return the router that serves what is left over by the API."""
    files = list_files(folder) if folder is not None and folder.is_dir() else {}
    packed = {path: gzip.compress(path.read_bytes(), 9, mtime=0) for path in files.values() if path.suffix in _TEXT}
    router = APIRouter(include_in_schema=False)

    def answer(request: Request, path: Path, caching: str) -> Response:
        takes = "gzip" in request.headers.get("accept-encoding", "")
        return _packed(path, packed[path], caching) if takes and path in packed else _file(path, caching)

    @router.api_route("/{path:path}", methods=["GET", "HEAD"], dependencies=[Depends(Open())])
    async def application(request: Request, path: str) -> Response:
        """Serve a file, or the shell for the addresses of its pages."""
        found = files.get(path)
        if found is not None and path != "index.html":
            hashed = path.startswith("assets/")
            return answer(request, found, "public, max-age=31536000, immutable" if hashed else "no-cache")
        shell = files.get("index.html")
        # A page's address may end with that of a point, which has dots; what looks like a file is one, or nothing.
        page = _PAGE.fullmatch(path) is not None and not path.startswith(_RESERVED)
        if shell is not None and (page or path == "index.html"):
            return answer(request, shell, "no-cache")
        if shell is None and path == "":
            raise Problem(
                404, "the control room is not built here", "The API is at /api/v1; build dashboards/control_room."
            )
        raise Problem(404, f"nothing at {request.url.path[:200]!r}")

    return router


def _file(path: Path, caching: str) -> Response:
    return FileResponse(path, media_type=_kind(path), headers={"Cache-Control": caching, "Vary": "Accept-Encoding"})


def _packed(path: Path, content: bytes, caching: str) -> Response:
    headers = {"Cache-Control": caching, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(content, media_type=_kind(path), headers=headers)


def _kind(path: Path) -> str:
    return _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"

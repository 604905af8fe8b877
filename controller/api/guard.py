"""Guards around the whole application, as plain ASGI: sizes, rates, host name, headers of every response, counts."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from controller.api.access import address_of, check_host, principal_of
from controller.api.problem import bug_response, problem_response

if TYPE_CHECKING:
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from controller.api.runtime import ApiSettings
    from drivers.driver import Clock

__all__ = ["CSP", "BodyGuard", "Bucket", "HeaderGuard", "RateGuard", "RequestMetrics"]

_log = logging.getLogger(__name__)

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""No inline script and no inline style; the control room is built for it (OWASP ASVS 14.4.3)."""

_PREFIX = "/api/v1"

_STRICTER = ("Content-Security-Policy",)
"""A route may send its own: files that people brought along are shut into a sandbox."""
UPLOAD = re.compile(rf"{_PREFIX}/drawings")
"""Paths that take a file: their bodies may be as long as `ApiSettings.upload_limit`."""

BODY_S = 20.0
"""A body that takes longer is given up (slow senders)."""
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class BodyGuard:
    """Reads the body itself, at most `limit` bytes and 20 s, chunked or not; 413, 408 and 415 come from here."""

    def __init__(self, app: ASGIApp, limit: int, upload_limit: int) -> None:
        """Wrap `app`; `upload_limit` is for the paths of `UPLOAD`."""
        self._app = app
        self._limit = limit
        self._upload_limit = upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        close = {"Connection": "close"}
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            problem = problem_response(415, "compressed bodies are not taken", headers=close)
            await problem(scope, receive, send)
            return
        limit = self._upload_limit if UPLOAD.fullmatch(scope["path"]) else self._limit
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > limit:
            problem = problem_response(413, f"the body is longer than {limit} bytes", headers=close)
            await problem(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_S):
                body = await self._read(receive, limit)
        except TimeoutError:
            problem = problem_response(408, f"the body did not arrive within {BODY_S:g} s", headers=close)
            await problem(scope, receive, send)
            return
        except ClientDisconnect:
            return
        if body is None:
            problem = problem_response(413, f"the body is longer than {limit} bytes", headers=close)
            await problem(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive, limit: int) -> bytes | None:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                return None
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


class Bucket:
    """Token buckets by key, at most 10,000; the one used longest ago goes first (it is full by then)."""

    def __init__(self, clock: Clock, per_s: float, burst: float) -> None:
        """Begin with full buckets."""
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> int:
        """Take one; returns 0, or the seconds to wait."""
        now = self._clock.monotonic()
        level, at = self._levels.pop(key, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._per_s)
        enough = level >= 1
        self._levels[key] = (level - 1 if enough else level, now)
        if len(self._levels) > 10_000:
            self._levels.popitem(last=False)
        return 0 if enough else max(1, math.ceil((1 - level) / self._per_s))


class RateGuard:
    """Limits requests per session, token or address, and sign-ins per address more strictly."""

    def __init__(self, app: ASGIApp, application: FastAPI) -> None:
        """Wrap `app`."""
        settings: ApiSettings = application.state.settings
        clock = application.state.runtime.clock
        self._app = app
        self._application = application
        self._requests = Bucket(clock, settings.requests_per_s, settings.requests_per_s * 20)
        self._sign_ins = Bucket(clock, settings.sign_ins_per_min / 60, settings.sign_ins_per_min)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        scope.setdefault("app", self._application)
        connection = HTTPConnection(scope)
        principal = principal_of(connection, touch=False)
        address = address_of(connection)
        wait = self._requests.take(principal.key if principal else address)
        path = scope["path"]
        if not wait and scope.get("method") == "POST" and path in {"/api/v1/session", "/api/v1/session/link"}:
            wait = self._sign_ins.take(address)
        if not wait:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            problem = problem_response(429, "too many requests", headers={"Retry-After": str(wait)})
            await problem(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4429})


class HeaderGuard:
    """Checks the host name and puts the protective headers on every response."""

    def __init__(self, app: ASGIApp, application: FastAPI) -> None:
        """Wrap `app`."""
        self._app = app
        self._application = application
        self._https = bool(application.state.settings.https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        scope.setdefault("app", self._application)
        api = scope["path"].startswith("/api/")

        begun = False

        async def protected(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    if name not in _STRICTER or name not in headers:
                        headers[name] = value
                if self._https:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
                if api and "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        if not check_host(HTTPConnection(scope)):
            if scope["type"] == "http":
                problem = problem_response(421, "the server is not called by one of its own names")
                await problem(scope, receive, protected)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 4421})
            return
        try:
            await self._app(scope, receive, protected)
        except Exception as error:
            # The last place where an answer can still be given, and it must carry the headers too.
            if begun or scope["type"] != "http":
                raise
            problem = bug_response(scope["method"], scope["path"], error)
            await problem(scope, receive, protected)


class RequestMetrics:
    """Counts requests and their time by route; a path that is no route counts as one of them all."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        """Wrap `app`."""
        self._app = app
        names = ("method", "route", "status")
        self._count = Counter("shifu_http_requests", "Requests by route and status.", names, registry=registry)
        self._time = Histogram(
            "shifu_http_request_seconds",
            "Time to the end of the response.",
            ("route",),
            buckets=(0.005, 0.02, 0.1, 0.5, 2, 10),
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        begun = asyncio.get_running_loop().time()

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            request = Request(scope)
            found: Any = scope.get("route")
            route = getattr(found, "path", "other")
            if scope["path"].startswith(_PREFIX) and route.startswith("/") and route != "/{path:path}":
                # A route knows its own router's prefix only.
                route = f"{_PREFIX}{route.removeprefix(_PREFIX)}"
            method = request.method if request.method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} else "other"
            self._count.labels(method, route, str(status)).inc()
            self._time.labels(route).observe(asyncio.get_running_loop().time() - begun)

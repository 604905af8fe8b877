"""Errors as problem+json (RFC 9457), each with a sentence on what to do."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from controller.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ShifuError,
    UnavailableError,
)
from controller.identity.identity import LockedError, SignInError
from controller.settings.problem import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

__all__ = ["Problem", "bug_response", "install_problems", "problem_response"]

_log = logging.getLogger(__name__)

_WHAT_TO_DO = {
    400: "Correct the request; the description of the API is at /api/v1/openapi.json.",
    401: "Sign in, or send a valid token as 'Authorization: Bearer shifu_…'.",
    403: "Ask an administrator for the right, or use an account that has it.",
    404: "Check the address; the lists of the API name everything that exists.",
    405: "Use one of the methods in the header Allow.",
    408: "Send the request faster, or in smaller parts.",
    409: "Read the present state again, then decide.",
    412: "Read the present state again, then send the change with its new ETag in If-Match.",
    413: "Send less at once.",
    415: "Send JSON with 'Content-Type: application/json' and without compression.",
    421: "Call the server by one of its configured host names.",
    422: "Correct the values that are named.",
    428: "Read the thing first, and send its ETag in the header If-Match.",
    429: "Wait for the seconds in the header Retry-After, then go on more slowly.",
    500: "Report the incident number to whoever looks after the controller.",
    503: "Try again later; /readyz says what is missing.",
}

_MOST_PROBLEMS = 20
_STATUS: tuple[tuple[type[ShifuError], int], ...] = (
    (LockedError, 429),
    (SignInError, 401),
    (InvalidError, 422),
    (NotFoundError, 404),
    (ForbiddenError, 403),
    (ConflictError, 409),
    (UnavailableError, 503),
)


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An error with its status, for what has no error class of its own."""

    def __init__(
        self, status: int, detail: str, what_to_do: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.what_to_do = what_to_do
        self.headers = dict(headers or {})


def problem_response(
    status: int,
    detail: str,
    what_to_do: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return the response of one problem."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": _printable(detail),
        "what_to_do": what_to_do or _WHAT_TO_DO.get(status, "Correct the request."),
        **more,
    }
    return Response(orjson.dumps(body), status, dict(headers or {}), "application/problem+json")


def install_problems(app: FastAPI) -> None:
    """Have every error of the application answered so."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(ShifuError, _of_shifu)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)


async def _of_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error.status, error.detail, error.what_to_do, error.headers)


async def _of_shifu(_request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    headers: dict[str, str] = {}
    if isinstance(error, LockedError):
        headers["Retry-After"] = str(error.seconds)
    elif status == 503:
        headers["Retry-After"] = "5"
    if isinstance(error, SettingsError):
        return _of_settings(status, error)
    detail, _, advice = str(error).partition("; ")
    return problem_response(status, detail, f"{advice[:1].upper()}{advice[1:]}." if advice else "", headers)


def _of_settings(status: int, error: SettingsError) -> Response:
    """Answer with every mistake by itself, so that a form can show each at its field."""
    problems = [
        {
            "key": _printable(item.key),
            "got": _printable(item.got[:500]),
            "wanted": _printable(item.wanted[:500]),
            "what_to_do": _printable(item.todo[:500]),
            "where": _printable(f"{item.file}:{item.line}" if item.line else item.file),
        }
        for item in error.problems[:_MOST_PROBLEMS]
    ]
    first = error.problems[0]
    return problem_response(status, str(first)[:1000], first.todo[:500], problems=problems)


async def _of_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_response(error.status_code, str(error.detail), headers=error.headers)


async def _of_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = []
    malformed = False
    for item in error.errors()[:20]:
        malformed |= item["type"] == "json_invalid"
        place = ".".join(str(part)[:60] for part in item["loc"])
        found.append({"place": _printable(place), "message": _printable(str(item["msg"])[:300])})
    detail = "; ".join(f"{entry['place']}: {entry['message']}" for entry in found[:3]) or "the request is not valid"
    return problem_response(400 if malformed else 422, detail, errors=found)


def bug_response(method: str, path: str, error: Exception) -> Response:
    """Log a mistake of ours with a number, and return the answer that carries the number alone."""
    incident = secrets.token_hex(4)
    _log.error("incident %s at %s %s", incident, method, _printable(path[:200]), exc_info=error)
    return problem_response(500, f"the controller made a mistake; incident {incident}")


def _printable(text: str) -> str:
    """Return text that is safe in one line of a log or a terminal."""
    return "".join(char if char.isprintable() and not "\ud800" <= char <= "\udfff" else "\ufffd" for char in text)

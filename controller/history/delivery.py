"""One request to InfluxDB's write endpoint, and what its answer means for the lines in it.

Answers are sorted by what can be done: 204 is yes; 400, 413 and 422 speak of the lines, which are then halved until
only the bad ones are left; everything else (401, 404, 429, 5xx, silence) speaks of the server, and the lines wait.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from isal import igzip
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Answer", "Influx", "LaterError", "Post", "Refused", "Writes", "deliver"]

_CONTENT = frozenset({400, 413, 422})
_DROPPED = re.compile(r"dropped=(\d+)")
_MAX_RETRY_AFTER_S = 300.0
_REASON = 200


@dataclass(frozen=True, slots=True)
class Influx:
    """Where the server is."""

    url: str
    org: str
    bucket: str
    token: str
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        """Name it without the token."""
        return f"Influx(url={self.url!r}, org={self.org!r}, bucket={self.bucket!r})"

    def client(self) -> InfluxDBClient:
        """Return a client; it connects when first used."""
        return InfluxDBClient(
            url=self.url, token=self.token, org=self.org, timeout=round(self.timeout_s * 1000), retries=False
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to one request; status 0 when it said nothing."""

    status: int
    message: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that the server will never take."""

    line: bytes
    reason: str


class LaterError(Exception):
    """The server does not take lines now. `status` is its answer, 0 when there was none."""

    def __init__(self, status: int, message: str, retry_after_s: float | None = None) -> None:
        """Say what the server said and when it wants to be asked again."""
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class Post(Protocol):
    """One attempt to write lines."""

    def __call__(self, body: bytes) -> Answer:
        """Send the lines and return the answer; never raises for what the server or the network does."""


class Writes:
    """`Post` through influxdb-client, compressed; for one thread."""

    def __init__(self, influx: Influx) -> None:
        """Make the client."""
        self._influx = influx
        self._client = influx.client()
        self._service = WriteService(self._client.api_client)  # type: ignore[no-untyped-call]

    def __call__(self, body: bytes) -> Answer:
        """See `Post`."""
        try:
            self._service.post_write(  # type: ignore[no-untyped-call]
                self._influx.org,
                self._influx.bucket,
                igzip.compress(body, 0),
                precision="ns",
                content_encoding="gzip",
                content_type="text/plain; charset=utf-8",
                _request_timeout=round(self._influx.timeout_s * 1000),
            )
        except ApiException as error:
            text = error.body if isinstance(error.body, str) else str(error.body or error.reason or "")
            headers: Mapping[str, str] = error.headers or {}
            return Answer(int(error.status or 0), text[:2000], _seconds(headers.get("Retry-After")))
        except (HTTPError, OSError) as error:
            return Answer(0, f"{type(error).__name__}: {error}"[:2000])
        return Answer(204)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()  # type: ignore[no-untyped-call]


def deliver(body: bytes, post: Post, stopping: Callable[[], bool]) -> list[Refused]:
    """Send lines, halving what is refused, and return the lines that the server will never take.

    Sending a line twice does no harm: same series and time.

    Raises:
        LaterError: the server does not take lines now; some may have been taken.
    """
    waiting = [body]
    refused: list[Refused] = []
    while waiting:
        if stopping():
            raise LaterError(0, "stopping")
        part = waiting.pop()
        answer = post(part)
        if 200 <= answer.status < 300:
            continue
        if answer.status not in _CONTENT:
            raise LaterError(answer.status, _sentence(answer), answer.retry_after_s)
        lines = part.splitlines(keepends=True)
        dropped = _DROPPED.search(answer.message)
        if len(lines) == 1 or (answer.status != 413 and dropped is not None and int(dropped[1]) >= len(lines)):
            refused += [Refused(line, answer.message[:_REASON]) for line in lines]
            continue
        half = len(lines) // 2
        waiting += [b"".join(lines[half:]), b"".join(lines[:half])]
    return refused


def _sentence(answer: Answer) -> str:
    known = {
        0: "InfluxDB does not answer: is it running, and is its address right?",
        401: "InfluxDB refuses the token (401): give one that may write to the bucket",
        403: "InfluxDB refuses the token (403): give one that may write to the bucket",
        404: "InfluxDB does not know the organisation or bucket (404): create it, or correct server.toml",
        429: "InfluxDB asks for fewer writes (429)",
    }
    text = known.get(answer.status, f"InfluxDB cannot write now ({answer.status})")
    return f"{text}; it said: {answer.message[:_REASON]}" if answer.message else text


def _seconds(header: str | None) -> float | None:
    """Return Retry-After in seconds; the form with a date is not used by InfluxDB and is ignored."""
    if header is None:
        return None
    try:
        return min(max(float(header), 0.0), _MAX_RETRY_AFTER_S)
    except ValueError:
        return None

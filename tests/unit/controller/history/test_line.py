from __future__ import annotations

import numpy as np
import pytest

from controller.history.delivery import Answer, Influx, LaterError, deliver
from controller.history.line import LineBuilder, tags_of
from drivers.reading import Readings

T0 = 1_767_225_600_000_000_000


def built(value: list[float], quality: list[int], number: list[int] | None = None) -> tuple[list[str], int]:
    n = len(value)
    numbers = np.array(number or [0] * n, np.int32)
    batch = Readings(numbers, np.array(value), np.full(n, T0), np.array(quality, np.uint8))
    builder = LineBuilder({0: "cityhall.electrical.tx1.winding_temp_a", 2: "xin yi.a,b.c=d.e\\f.g"})
    body, unknown = builder.build(batch)
    return body.decode().splitlines(), unknown


def test_lines_of_good_bad_and_odd_values() -> None:
    series = "electrical,building=cityhall,equipment=tx1,point=winding_temp_a"
    lines, unknown = built([21.5, 3.0, -0.1, 1e300, np.nan, np.inf, 7.0], [0, 64, 1, 0, 130, 0, 129])
    assert lines == [
        f"{series} value=21.5,quality=0i {T0}",
        f"{series} value=3.0,quality=64i {T0}",
        f"{series} value=-0.1,quality=1i {T0}",
        f"{series} value=1e+300,quality=0i {T0}",
        f"{series} quality=130i {T0}",
        f"{series} quality=0i {T0}",
        f"{series} quality=129i {T0}",
    ]
    assert unknown == 0


def test_special_characters_are_escaped() -> None:
    lines, _ = built([1.0], [0], [2])
    assert lines == [rf"a\,b,building=xin\ yi,equipment=c\=d,point=e\f.g value=1.0,quality=0i {T0}"]


def test_unknown_numbers_are_counted_not_sent() -> None:
    lines, unknown = built([1.0, 2.0, 3.0, 4.0], [0] * 4, [0, 1, -1, 99])
    assert len(lines) == 1
    assert unknown == 3
    assert built([1.0], [0], [7]) == ([], 1)


def test_tags() -> None:
    assert tags_of("xinyi.lift.ext1.state") == ("lift", "xinyi", "ext1", "state")


class Server:
    """Refuses lines that say bad, in the way of InfluxDB."""

    def __init__(self, *, partial: bool = False, largest: int = 10_000) -> None:
        self.stored: list[bytes] = []
        self.requests = 0
        self.partial = partial
        self.largest = largest

    def __call__(self, body: bytes) -> Answer:
        self.requests += 1
        lines = body.splitlines(keepends=True)
        if len(lines) > self.largest:
            return Answer(413, "request entity too large")
        bad = sum(b"bad" in line for line in lines)
        if bad and self.partial:
            self.stored += [line for line in lines if b"bad" not in line]
            return Answer(422, f"failure writing points to database: partial write: field type conflict dropped={bad}")
        if bad:
            return Answer(400, "unable to parse")
        self.stored += lines
        return Answer(204)


@pytest.mark.parametrize("bad", [set(), {0}, {499}, {0, 1, 250, 498}, set(range(500))])
@pytest.mark.parametrize("partial", [False, True])
def test_halving_keeps_every_good_line_and_finds_every_bad_one(bad: set[int], partial: bool) -> None:
    lines = [b"bad%d\n" % number if number in bad else b"good%d\n" % number for number in range(500)]
    server = Server(partial=partial, largest=200)
    refused = deliver(b"".join(lines), server, lambda: False)
    assert {item.line for item in refused} == {lines[number] for number in bad}
    assert set(server.stored) == {line for line in lines if b"good" in line}
    if partial and len(bad) == 500:
        assert server.requests <= 8  # what is bad as a whole is not asked line by line


@pytest.mark.parametrize("status", [0, 401, 403, 404, 408, 429, 500, 503])
def test_what_speaks_of_the_server_is_for_later(status: int) -> None:
    with pytest.raises(LaterError) as caught:
        deliver(b"a\n", lambda _: Answer(status, "why", 7.0 if status == 429 else None), lambda: False)
    assert caught.value.status == status
    assert "why" in str(caught.value)
    assert caught.value.retry_after_s == (7.0 if status == 429 else None)


def test_stopping_ends_a_long_halving() -> None:
    with pytest.raises(LaterError, match="stopping"):
        deliver(b"bad\n" * 1000, Server(), lambda: True)


def test_the_token_is_never_shown() -> None:
    assert "secret" not in repr(Influx("http://h", "o", "b", "secret"))

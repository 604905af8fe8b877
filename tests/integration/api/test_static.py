"""The control room's files: the right ones, with strict headers, and nothing beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def served(tmp_path: Path, opener: Any) -> AsyncIterator[Any]:
    open_house, close_house = opener
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html><title>Shifu</title>")
    (built / "assets" / "app-3f2a.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    (built / "outside.txt").symlink_to(tmp_path / "secret.txt")
    house = await open_house(tmp_path / "data", static=built)
    yield house.browser().http
    await close_house(house)


@pytest.mark.parametrize("path", ["/", "/overview", "/electrical/tx1", "/link", "/index.html"])
async def test_pages_are_the_shell(served: Any, path: str) -> None:
    reply = await served.get(path)
    assert reply.status_code == 200
    assert "<title>Shifu" in reply.text
    assert reply.headers["cache-control"] == "no-cache"
    policy = reply.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in reply.headers


async def test_hashed_files_are_kept_for_ever(served: Any) -> None:
    reply = await served.get("/assets/app-3f2a.js")
    assert reply.headers["content-type"].startswith("text/javascript")
    assert "immutable" in reply.headers["cache-control"]
    assert (await served.head("/assets/app-3f2a.js")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%2fetc%2fpasswd.txt",
        "/secret.txt%00.js",
        "/outside.txt",
        "/assets/none.js",
        "/api/v1/none",
        "/api/v2/site",
    ],
)
async def test_nothing_else_is_served(served: Any, path: str) -> None:
    reply = await served.get(path)
    assert reply.status_code == 404, path
    assert "secret" not in reply.text.replace("secret.txt", "")
    assert reply.headers["content-type"] == "application/problem+json"


async def test_scripts_travel_compressed_to_whoever_takes_it(served: Any) -> None:
    packed = await served.get("/assets/app-3f2a.js", headers={"Accept-Encoding": "gzip, br"})
    plain = await served.get("/assets/app-3f2a.js", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert "immutable" in packed.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["/points/cityhall.plant.ch1.chw_setpoint", "/points/cityhall/plant/ch1/load", "/alarms/b.s.e.p%23high", "/trend"],
)
async def test_the_addresses_of_pages_get_the_shell_dots_or_not(served: Any, path: str) -> None:
    reply = await served.get(path)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")


async def test_without_a_build_the_api_says_so(house: Any) -> None:
    reply = await house.browser().http.get("/")
    assert reply.status_code == 404
    assert "not built" in reply.json()["detail"]

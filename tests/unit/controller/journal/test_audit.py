from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from controller.clock import SystemClock
from controller.journal.audit import chained, link
from controller.journal.entry import AuditRow
from controller.journal.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path


async def written(path: Path, count: int = 20) -> None:
    journal = await Journal.open(path, SystemClock())
    for number in range(count):
        journal.audit(AuditRow(number, "op", "limit_change", f"p{number}", reason="試験", data={"new": number / 7}))
        if number % 3 == 0:
            await journal.commit()
    await journal.close()


async def report(path: Path) -> tuple[bool, int, int | None, str]:
    journal = await Journal.open(path, SystemClock())
    found = await journal.verify_audit()
    await journal.close()
    return found.whole, found.entries, found.broken_at, found.message


async def test_chain_goes_on_over_a_restart(tmp_path: Path) -> None:
    await written(tmp_path / "state.db")
    await written(tmp_path / "state.db")
    assert await report(tmp_path / "state.db") == (True, 40, None, "")


async def test_empty_chain_is_whole(tmp_path: Path) -> None:
    assert await report(tmp_path / "state.db") == (True, 0, None, "")


@pytest.mark.parametrize(
    ("tampering", "broken_at", "words"),
    [
        ("UPDATE audit_entry SET actor = 'somebody' WHERE id = 5", 5, "was changed"),
        ("UPDATE audit_entry SET data = '{\"new\":0.5}' WHERE id = 7", 7, "was changed"),
        ("DELETE FROM audit_entry WHERE id = 9", 10, "removed"),
        ("DELETE FROM audit_entry WHERE id = 1", 2, "removed"),
        ("DELETE FROM audit_entry WHERE id > 15", None, "must end with row 20"),
        ("DELETE FROM audit_entry", None, "must end with row 20"),
        ("DELETE FROM setting", None, "ends with row 20"),
    ],
)
async def test_tampering_is_found_where_it_was_done(
    tmp_path: Path, tampering: str, broken_at: int | None, words: str
) -> None:
    path = tmp_path / "state.db"
    await written(path)
    with sqlite3.connect(path) as other:
        other.execute(tampering)
    other.close()
    whole, _, found, message = await report(path)
    assert not whole
    assert found == broken_at
    assert words in message


def test_the_hash_is_the_one_that_was_published() -> None:
    fields = chained(AuditRow(1, "op", "sign_in", data={"b": 1, "a": "x"}), "0" * 64)
    assert fields["data"] == '{"a":"x","b":1}'
    assert fields["hash"] == link(fields) == "0572cd810126589c987a1aff00c0edc11a46ebbdc4677e66f7fad5bc02456c63"
    assert link({**fields, "actor": "op2"}) != fields["hash"]

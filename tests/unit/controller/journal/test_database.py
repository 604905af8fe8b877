from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

from controller.clock import SystemClock, VirtualClock
from controller.errors import InvalidError, UnavailableError
from controller.journal.database import make_engine, migrate, open_database
from controller.journal.entry import AuditRow
from controller.journal.journal import Journal
from controller.journal.schema import alarm_state, metadata, user

V1 = Path(__file__).with_name("state_v0001.sql")


def from_fixture(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(V1.read_text())
    connection.close()


async def test_database_of_version_1_becomes_current_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    from_fixture(path)
    journal = await Journal.open(path, SystemClock())
    assert journal.quarantined is None
    assert [row.name for row in await journal.fetch(select(user))] == ["admin"]
    assert [row.definition for row in await journal.fetch(select(alarm_state))] == ["cityhall.plant.ch1.load#high"]
    assert (await journal.verify_audit()).entries == 2
    journal.audit(AuditRow(3, "admin", "sign_out"))
    await journal.commit()
    report = await journal.verify_audit()
    assert (report.whole, report.entries) == (True, 3)
    await journal.close()


@pytest.mark.parametrize("old", [False, True])
def test_migrations_build_exactly_the_schema(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "sch%d ema.db"
    if old:
        from_fixture(path)
    engine = make_engine(path)
    migrate(engine)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()
    assert differences == []


async def test_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    from_fixture(path)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = 'v9999'")
    other.close()
    with pytest.raises(InvalidError, match="v9999 is newer"):
        await Journal.open(path, SystemClock())
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM user").fetchone() == (1,)
    other.close()


async def test_locked_database_is_unavailable_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    path.mkdir()
    with pytest.raises(UnavailableError, match="cannot open"):
        await Journal.open(path, SystemClock())
    assert path.is_dir()


def test_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this is not a database" * 500)
    opened = open_database(path, VirtualClock(7_000_000_000))
    opened.engine.dispose()
    assert opened.quarantined == tmp_path / "state.db.damaged-7"
    assert "not a database" in opened.damage
    assert opened.quarantined.read_bytes().startswith(b"this is not")


@pytest.mark.parametrize("before", [None, 0o644])
async def test_password_hashes_are_for_the_owner_of_the_process_alone(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "state.db"
    if before is not None:
        from_fixture(path)
        path.chmod(before)
    journal = await Journal.open(path, SystemClock())
    journal.audit(AuditRow(3, "admin", "sign_out"))
    await journal.commit()
    found = {name.name: name.stat().st_mode & 0o777 for name in tmp_path.iterdir()}
    await journal.close()

    assert set(found) >= {"state.db", "state.db-wal", "state.db-shm"}
    assert set(found.values()) == {0o600}

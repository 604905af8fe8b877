"""Opens the state database: pragmas, migrations, and what to do with a damaged file.

A damaged file never keeps the controller from starting: it is moved aside, what can still be read is copied into a new
one, and the caller is told, so that an alarm says so.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Engine, Table, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from controller.errors import InvalidError
from controller.journal.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.driver import Clock

__all__ = ["Opened", "make_engine", "migrate", "newest_schema", "open_database"]

_log = logging.getLogger(__name__)
_ENVIRONMENT = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""Result codes of a disk that does not work now; the data are not to blame."""
_VERSION = re.compile(r"^v\d{4}$")


@dataclass(frozen=True, slots=True)
class Opened:
    """A database that is ready, and what happened to the one found."""

    engine: Engine
    quarantined: Path | None = None
    """Where the damaged file was put; None when it was whole."""
    saved: dict[str, int] = field(default_factory=dict)
    """Rows copied out of the damaged file, by table."""
    damage: str = ""
    """What was wrong with it."""


def make_engine(path: Path, *, synchronous: str = "FULL", lock_wait_s: float = 1.0) -> Engine:
    """Return an engine on one SQLite file in WAL mode; connections are made when first used.

    `lock_wait_s` is how long a statement waits for another process's lock before it fails.
    """

    def dumps(value: object) -> str:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()

    def loads(text: str | float) -> object:
        if isinstance(text, int | float):
            return text  # SQLite keeps a bare number as a number, whatever the column was declared as
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            # A damaged row must not hide the others; the audit chain tells what was changed.
            return None

    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": lock_wait_s, "check_same_thread": False},
        json_serializer=dumps,
        json_deserializer=loads,
        poolclass=NullPool,
    )

    def pragmas(connection: sqlite3.Connection, _record: object) -> None:
        # Transactions are ours to begin: sqlite3's own opens none before DDL, which would tear a migration in two.
        connection.isolation_level = None
        connection.text_factory = lambda text: text.decode(errors="replace")
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON", "cell_size_check=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", pragmas)
    event.listen(engine, "begin", begin)
    return engine


def newest_schema() -> str:
    """Return the name of the schema that this release writes."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    # ConfigParser would read a % of the path as an interpolation.
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def migrate(engine: Engine) -> str:
    """Bring the schema to the newest version and return its name.

    Raises:
        InvalidError: the file was written by a newer release.
    """
    config = _config()
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known and _VERSION.match(found):
        raise InvalidError(
            f"{engine.url.database}: schema {found} is newer than this release knows (up to {head}). "
            "Start the newer release, or restore the copy made before the update."
        )
    if found != head:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return str(head)


def open_database(path: Path, clock: Clock, *, synchronous: str = "FULL") -> Opened:
    """Open, check and migrate the state database, making it when there is none.

    Raises:
        InvalidError: the file was written by a newer release.
        OperationalError, OSError: locked, disk full, no permission: nothing is wrong with the data.
    """
    _keep_to_owner(path)
    engine = make_engine(path, synchronous=synchronous, lock_wait_s=5.0)
    try:
        _check(engine)
        migrate(engine)
        _look(engine)
    except DatabaseError as error:
        if isinstance(error, OperationalError) and getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _ENVIRONMENT:
            raise
        damage = str(error.orig)
    except (CommandError, ValueError) as error:
        # ValueError: names in the file that are no UTF-8.
        damage = str(error)
    else:
        return Opened(make_engine(path, synchronous=synchronous))
    finally:
        engine.dispose()
    aside = _move_aside(path, clock.now_ns())
    _keep_to_owner(path)
    engine = make_engine(path, synchronous=synchronous)
    migrate(engine)
    saved = _salvage(aside, engine)
    _log.error("state database was damaged: %s; moved to %s, rows saved: %s", damage, aside, saved)
    return Opened(engine, aside, saved, damage)


def _keep_to_owner(path: Path) -> None:
    """Have the file readable by its owner alone: it holds password hashes and the audit. SQLite's -wal and -shm follow.

    A file that somebody else owns is left as it is.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        with contextlib.suppress(PermissionError, FileNotFoundError):
            name.chmod(0o600)


def _look(engine: Engine) -> None:
    """Read one row of every table, so that a table whose own description was damaged is found now."""
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.select().limit(1)).fetchall()


def _check(engine: Engine) -> None:
    with engine.connect() as connection:
        result = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if result != "ok":
        raise DatabaseError("PRAGMA quick_check", None, sqlite3.DatabaseError(str(result)))


def _move_aside(path: Path, now_ns: int) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{now_ns // 1_000_000_000}")
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    return aside


def _salvage(aside: Path, engine: Engine) -> dict[str, int]:
    """Copy what can be read, each table from both ends, parents first."""
    saved: dict[str, int] = {}
    try:
        source = sqlite3.connect(aside, isolation_level=None)
    except sqlite3.Error:
        return saved
    source.text_factory = lambda text: text.decode(errors="replace")
    with contextlib.closing(source), contextlib.closing(engine.raw_connection()) as target:
        target.execute("PRAGMA foreign_keys=OFF")
        for table in metadata.sorted_tables:
            count = 0
            for columns, row in _readable(source, table):
                names = ", ".join(f'"{name}"' for name in columns)
                marks = ", ".join("?" * len(columns))
                with contextlib.suppress(sqlite3.Error):
                    cursor = target.cursor()
                    cursor.execute(f'INSERT OR IGNORE INTO "{table.name}" ({names}) VALUES ({marks})', row)  # noqa: S608 names of our own schema
                    count += cursor.rowcount
            saved[table.name] = count
        target.commit()
    return saved


def _readable(source: sqlite3.Connection, table: Table) -> Iterator[tuple[list[str], tuple[Any, ...]]]:
    ours = {column.name for column in table.columns}
    try:
        columns = [row[1] for row in source.execute(f'PRAGMA table_info("{table.name}")') if row[1] in ours]
    except (sqlite3.Error, ValueError):
        return
    if not columns:
        return
    names = ", ".join(f'"{name}"' for name in columns)
    for order in ("ASC", "DESC"):
        try:
            cursor = source.execute(f'SELECT {names} FROM "{table.name}" NOT INDEXED ORDER BY rowid {order}')  # noqa: S608 names of our own schema
            while (row := cursor.fetchone()) is not None:
                yield columns, row
        except (sqlite3.Error, ValueError):
            continue
        else:
            return

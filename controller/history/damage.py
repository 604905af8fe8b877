"""Tells damaged data from a disk that does not work now, by SQLite's result codes.

Source: sqlite.org, "Result and Error Codes".
"""

from __future__ import annotations

import sqlite3

__all__ = ["is_damage"]

_ENVIRONMENT = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


def is_damage(error: BaseException) -> bool:
    """Return whether the file itself is wrong: waiting or trying again will not help."""
    if not isinstance(error, sqlite3.DatabaseError):
        return False
    # Errors made by the sqlite3 module itself (text that is no UTF-8) have no code.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF not in _ENVIRONMENT

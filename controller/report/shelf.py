"""Where reports are kept: one folder each, written beside and moved into its place, so that it is whole or not there.

`<kind>-<first day>/` holds `report.json` and the files `zh.pdf`, `zh.xlsx`, `en.pdf`, `en.xlsx`. A folder that cannot
be read is left out of the list and said once. Everything here blocks: small files, called in a thread.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from controller.errors import NotFoundError, UnavailableError
from controller.report.order import FORMATS
from controller.report.word import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from controller.report.order import File

__all__ = ["Kept", "KeptFile", "Report", "Shelf", "report_id"]

_log = logging.getLogger(__name__)
_FOLDER = re.compile(r"(day|month)-(\d{4}-\d{2}-\d{2})")
_INDEX = "report.json"


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a report without its files."""

    kind: str
    """`day` or `month`."""
    first: date
    made_ns: int
    made_by: str
    over: bool
    """False: it was made before its span had ended."""
    quality: float | None
    """Share of the quarter hours with readings; None where none was over."""
    kwh: float | None
    total: int | None
    """The bill, NT$."""

    @property
    def id(self) -> str:
        """Return its name, and that of its folder."""
        return report_id(self.kind, self.first)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file of it."""

    language: str
    format: str
    size: int
    digest: str
    """SHA-256."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A report on the shelf."""

    report: Report
    files: tuple[KeptFile, ...]


def report_id(kind: str, first: date) -> str:
    """Return the name of a report: `month-2026-11-01`."""
    return f"{kind}-{first.isoformat()}"


class Shelf:
    """The folder of all reports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said: set[str] = set()

    def put(self, report: Report, files: Iterable[File]) -> Kept:
        """Keep a report in place of an older one of the same span.

        Raises:
            UnavailableError: it cannot be written; what was there before is still there.
        """
        place, part = self._folder / report.id, self._folder / f".{report.id}.part"
        listed = []
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(mode=0o700)
            for file in files:
                _write(part / f"{file.language}.{file.format}", file.content)
                digest = hashlib.sha256(file.content).hexdigest()
                listed.append(KeptFile(file.language, file.format, len(file.content), digest))
            kept = Kept(report, tuple(listed))
            _write(part / _INDEX, json.dumps(_json(kept), ensure_ascii=False, indent=1).encode())
            if place.exists():
                old = self._folder / f".{report.id}.old"
                shutil.rmtree(old, ignore_errors=True)
                place.rename(old)
                part.rename(place)
                shutil.rmtree(old, ignore_errors=True)
            else:
                part.rename(place)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise UnavailableError(f"{self._folder}: the report cannot be kept: {error}") from error
        return kept

    def all(self) -> list[Kept]:
        """Return all reports, the newest span first; of one day the month before the day."""
        try:
            names = [path.name for path in self._folder.iterdir() if _FOLDER.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        found = [kept for name in names if (kept := self._read(name)) is not None]
        return sorted(found, key=lambda kept: (kept.report.first, kept.report.kind), reverse=True)

    def find(self, id_: str) -> Kept:
        """Return one report.

        Raises:
            NotFoundError: there is none of this name.
        """
        kept = self._read(id_) if _FOLDER.fullmatch(id_) else None
        if kept is None:
            raise NotFoundError(f"there is no report {id_[:40]!r}")
        return kept

    def content(self, id_: str, language: str, format_: str) -> bytes:
        """Return a file of a report.

        Raises:
            NotFoundError: there is no such report or file.
        """
        self.find(id_)
        if language not in LANGUAGES or format_ not in FORMATS:
            raise NotFoundError(f"there is no file {language[:8]}.{format_[:8]} of report {id_}")
        try:
            return (self._folder / id_ / f"{language}.{format_}").read_bytes()
        except OSError as error:
            raise NotFoundError(f"report {id_}: {language}.{format_} cannot be read: {error.strerror}") from error

    def prune(self, keep: dict[str, int]) -> list[str]:
        """Remove all but the newest `keep[kind]` reports of a kind; return the names of those that went."""
        gone = []
        reports = self.all()
        for kind, most in keep.items():
            mine = [kept.report.id for kept in reports if kept.report.kind == kind]
            for id_ in mine[most:]:
                shutil.rmtree(self._folder / id_, ignore_errors=True)
                gone.append(id_)
        return gone

    def _read(self, name: str) -> Kept | None:
        try:
            row = json.loads((self._folder / name / _INDEX).read_bytes())
            report = Report(**{**row["report"], "first": date.fromisoformat(row["report"]["first"])})
            files = tuple(KeptFile(**file) for file in row["files"])
            if report.id != name:
                raise ValueError(f"it is of {report.id}")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            if name not in self._said:
                self._said.add(name)
                _log.warning("report %s cannot be read, and is left out of the list: %s", name, error)
            return None
        return Kept(report, files)


def _json(kept: Kept) -> dict[str, Any]:
    report = asdict(kept.report)
    return {
        "report": {**report, "first": kept.report.first.isoformat()},
        "files": [asdict(file) for file in kept.files],
    }


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

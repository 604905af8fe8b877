"""Documents of equipment: photo, manual and drawing, files of the site's folder, looked at before they are offered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from controller.plan.picture import MAX_BYTES, MEDIA, PictureError, inspect
from controller.plan.store import digest
from controller.point.model import Document, Name
from controller.settings.plan import picture_problem, regular_file
from controller.settings.problem import MOST, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from controller.point.model import Equipment
    from controller.settings.file import DocumentItem
    from controller.settings.read import Rows

__all__ = ["MAX_DOCUMENT_BYTES", "with_documents"]

MAX_DOCUMENT_BYTES = 20 << 20
"""A manual; pictures are held to the limit of plans."""
_STARTS = {".pdf": (b"%PDF-", "application/pdf"), ".jpg": (b"\xff\xd8\xff", "image/jpeg")}


@dataclass(slots=True)
class _Shelf:
    """Files that were looked at, each once."""

    folder: Path
    seen: dict[str, tuple[str, int, str] | Problem] = field(default_factory=dict)

    def look(self, file: str) -> tuple[str, int, str] | Problem | None:
        """Return media type, size and digest, or what is wrong with the file; None where there is none."""
        if file not in self.seen:
            path = regular_file(self.folder, file)
            if path is None:
                return None
            try:
                self.seen[file] = _look(path, file)
            except PictureError as error:
                self.seen[file] = picture_problem(file, error)
            except OSError as error:
                self.seen[file] = Problem(file, 0, "", str(error.strerror), "a file that can be read")
        return self.seen[file]


def with_documents(
    rows: Rows, equipment: Mapping[str, Equipment], folder: Path, problems: list[Problem]
) -> dict[str, Equipment]:
    """Return the equipment with its documents; what is wrong is added to `problems`."""
    shelf = _Shelf(folder)
    owned: dict[str, list[Document]] = {address: [] for address in equipment}
    for placed in rows.equipment:
        for number, item in enumerate(placed.row.documents):
            line = placed.source.line((*placed.path, "documents", number, "file"))
            _add(
                owned,
                [placed.row.id],
                item,
                shelf,
                Problem(placed.file, line, "equipment.documents.file", "", ""),
                problems,
            )
    for document in rows.documents:
        row = document.row
        if (row.cls is None) == (row.equipment is None):
            got, wanted_key = "both" if row.cls else "neither", 'exactly one of "class" and "equipment"'
            problems.append(Problem(document.file, document.line, "document", got, wanted_key))
            continue
        if row.equipment is not None:
            wanted = [address for address in equipment if fnmatchcase(address, row.equipment)]
            key, got, known = "equipment", row.equipment, [*equipment]
        else:
            wanted = [item.address for item in equipment.values() if item.cls == row.cls]
            key, got, known = "class", str(row.cls), sorted({item.cls for item in equipment.values()})
        if not wanted:
            line, todo = document.line_of(key), nearest(got, known)
            problems.append(
                Problem(document.file, line, f"document.{key}", f'"{got}"', "equipment that this site has", todo)
            )
        place = Problem(document.file, document.line_of("file"), "document.file", "", "")
        _add(owned, wanted, row, shelf, place, problems)
    return {address: replace(item, documents=tuple(owned[address])) for address, item in equipment.items()}


def _add(
    owned: dict[str, list[Document]],
    addresses: list[str],
    item: DocumentItem,
    shelf: _Shelf,
    place: Problem,
    problems: list[Problem],
) -> None:
    seen = shelf.look(item.file)
    if seen is None:
        todo = "Put the file there, or take the row out."
        seen = replace(place, got=f'"{item.file}"', wanted="a file that exists in the site's folder", todo=todo)
    if isinstance(seen, Problem):
        if seen not in problems and len(problems) < MOST:
            problems.append(seen)
        return
    media, size, name = seen
    document = Document(item.kind, Name(item.title.zh, item.title.en), item.file, media, size, name)
    for address in addresses:
        if document not in owned[address]:
            owned[address].append(document)


def _look(path: Path, file: str) -> tuple[str, int, str]:
    suffix = path.suffix.lower().replace(".jpeg", ".jpg")
    most = MAX_DOCUMENT_BYTES if suffix == ".pdf" else MAX_BYTES
    size = path.stat().st_size
    if size > most:
        raise PictureError(0, f"{size} bytes", f"at most {most}", "Save it smaller.")
    content = path.read_bytes()
    if suffix in _STARTS:
        start, media = _STARTS[suffix]
        if not content.startswith(start):
            raise PictureError(0, "another kind of file", f"what the name {path.name} says")
        return media, len(content), digest(content)
    picture = inspect(content)
    if picture.kind != suffix[1:]:
        raise PictureError(0, f"a file of the kind {picture.kind}", f"what the name {file} says")
    return MEDIA[picture.kind], len(content), digest(content)

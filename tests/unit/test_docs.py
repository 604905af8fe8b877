"""The documents say what is there: reference pages are those of the code, and links, paths and commands exist."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer.main

from controller.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
WRITTEN = [name for name in NAMES if not name.startswith("docs/reference/")]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"(?:controller|drivers|simulators|config|dashboards|docs|tests|benchmarks)/[\w./*-]+")
_PLACEHOLDER = re.compile(r"[<>…{}]")


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def prose_of(name: str) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", text_of(name))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that a page's headings get, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def commands_of(name: str) -> list[str]:
    """Return every `shifu …` of a page, from its code spans and its shell blocks."""
    found = [code for code in _CODE.findall(prose_of(name)) if code.startswith("shifu ")]
    for _, language, body in _FENCE.findall(text_of(name)):
        if language in ("sh", "console"):
            lines = body.replace("\\\n", " ").splitlines()
            found += [line.strip().removeprefix("$ ") for line in lines]
    return [command for command in found if command.startswith("shifu ")]


def test_the_reference_is_that_of_the_code(tmp_path: Path) -> None:
    pages: dict[str, str] = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()
    found = {page.name: page.read_text("utf-8") for page in (ROOT / "docs" / "reference").glob("*.md")}

    assert sorted(pages) == sorted(found), "run docs/generate.py"
    stale = [name for name, text in pages.items() if text != found[name]]
    assert not stale, "run docs/generate.py"


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for link in _LINK.findall(prose_of(name)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name}: {link}"
        assert target.is_relative_to(ROOT), f"{name}: {link} leads out of the repository"
        if anchor:
            assert anchor in anchors_of(target), f"{name}: {link}: there is no such heading"


@pytest.mark.parametrize("name", NAMES)
def test_paths_exist(name: str) -> None:
    for code in _CODE.findall(prose_of(name)):
        if _PATH.fullmatch(code) and not _PLACEHOLDER.search(code):
            there = any(ROOT.glob(code)) if "*" in code else (ROOT / code).exists()
            assert there, f"{name}: {code}"


def _find(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that the words name, and the words after it."""
    command: Any = typer.main.get_command(app)
    while words and getattr(command, "commands", None):
        assert words[0] in command.commands, f"there is no shifu {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("name", [name for name in WRITTEN if commands_of(name)])
def test_commands_exist(name: str) -> None:
    for line in commands_of(name):
        words = shlex.split(line.split(" > ")[0], comments=True)[1:]
        words = [word for word in words if word not in ("…", "[OPTIONS]")]
        command, rest = _find(words)
        known = {option for item in command.params for option in (*item.opts, *item.secondary_opts)}
        if command.name == "sim":
            continue
        for word in rest:
            if word.startswith("-"):
                assert word.split("=")[0] in known, f"{name}: `{line}`: {word}"


@pytest.mark.parametrize("name", WRITTEN)
def test_tasks_of_the_makefile_exist(name: str) -> None:
    tasks = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    for code in [*_CODE.findall(prose_of(name)), *(body for _, _, body in _FENCE.findall(text_of(name)))]:
        for task in re.findall(r"^(?:\$ )?make ([a-z-]+)", code, re.MULTILINE):
            assert task in tasks, f"{name}: make {task}"


def test_the_operators_guide_keeps_to_the_words_of_the_field() -> None:
    guide = text_of("docs/quick-guide.zh-TW.md")
    banned = ("報警", "冷水機組", "新風", "跳閘", "數據", "實時", "質量", "默認", "設置", "用戶", "界面", "屏幕",
              "打印", "信息", "視頻", "網絡", "導出", "加載", "服務器", "保存")  # fmt: skip

    assert [word for word in banned if word in guide] == []
    assert all(word in guide for word in ("確認", "復歸", "釋放", "優先權陣列", "處置步驟", "回應時限"))


def test_the_picture_of_the_readme_is_small_enough() -> None:
    picture = ROOT / "docs" / "images" / "overview.png"

    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 400_000

"""The page of the command line."""
# ruff: noqa: INP001 - a part of docs/generate.py, not a package

from __future__ import annotations

import sys
from typing import Any

import typer.main

from controller.cli import app
from docs.page.markdown import first, table

__all__ = ["command_line"]


def command_line() -> str:
    """Return every command with its arguments, options and exit codes."""
    group: Any = typer.main.get_command(app)
    parts = ["# Command line", first(group.help), _exit_codes()]
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        parts += [_command(f"shifu {name}", command)] if inner is None else []
        for inner_name, inner_command in (inner or {}).items():
            parts.append(_command(f"shifu {name} {inner_name}", inner_command))
    return "\n\n".join(parts)


def _exit_codes() -> str:
    module = sys.modules[app.registered_commands[0].callback.__module__]
    text = " ".join((module.__doc__ or "").split())
    return text[text.index("Exit codes:") :]


def _command(name: str, command: Any) -> str:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option" and item.name != "help"]
    usage = " ".join([name, "[OPTIONS]" if options else "", *map(_metavar, arguments)])
    parts = [f"## `{name}`", first(command.help), f"```text\n{' '.join(usage.split())}\n```"]
    rows = [(f"`{_metavar(item)}`", item.help or "", "") for item in arguments]
    for item in options:
        shown = ", ".join(f"`{word}`" for word in (*item.opts, *item.secondary_opts))
        default = item.default
        empty = default is None or default in ("", False) or callable(default) or item.required
        note = "required" if item.required else "" if empty else f"`{default}`"
        rows.append((shown, item.help or "", note))
    if rows:
        parts.append(table(("option", "what it does", "default"), rows))
    return "\n\n".join(parts)


def _metavar(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    return name if argument.required else f"[{name}]"

"""The pages of the profiles: their format, and those that come along."""
# ruff: noqa: INP001, E501 - a part of docs/generate.py, not a package, and full of sentences

from __future__ import annotations

from typing import Any

from controller.settings.library import Library
from controller.settings.problem import Problem
from docs.page.markdown import body, fields, first, table
from drivers.equipment import EQUIPMENT
from drivers.modbus import plan
from drivers.mqtt import driver as mqtt_driver
from drivers.mqtt import lorawan, payload
from drivers.mqtt import route as mqtt_route
from drivers.opcua import driver as opcua_driver
from drivers.opcua import node
from drivers.profile import Keepalive, Profile, ProfilePoint, Write

__all__ = ["profile_format", "profiles"]


def profile_format() -> str:
    """Return what a profile may say, and what each class of equipment must have."""
    parts = [
        "# The format of a profile",
        (
            "A profile is the map of one device model: `config/profiles/<equipment>/<id>.toml`, or `profiles/<id>.toml` in "
            "a site's folder, which takes precedence. It has a table `[profile]` with the model, and one `[[point]]` a "
            "point. How to write one: [write a profile](../how-to/write-a-profile.md)."
        ),
    ]
    for head, cls in (
        ("[profile]", Profile),
        ("[profile.keepalive]", Keepalive),
        ("[[point]]", ProfilePoint),
        ("write = { … } of a point", Write),
    ):
        parts += [f"## `{head}`", first(cls.__doc__), _shape(cls)]
    parts += ["## The wire: Modbus", body(plan), "## The wire: OPC UA", body(node), body(opcua_driver)]
    parts += ["## The wire: MQTT", body(mqtt_route), body(payload), body(lorawan), body(mqtt_driver)]
    parts.append("## Classes of equipment")
    parts.append(
        "`equipment` of a profile is one of these. A point with one of these tags has this kind and unit; `*` may be "
        "commanded, **bold** must be there. A profile may have more points."
    )
    for piece in EQUIPMENT.values():
        rows = [
            (f"**`{tag}`**" if tag in piece.required else f"`{tag}`", spec.kind, spec.unit, "*" if spec.command else "")
            for tag, spec in piece.points.items()
        ]
        one = f"At least one of {', '.join(f'`{tag}`' for tag in piece.one_of)}." if piece.one_of else ""
        parts += [f"### `{piece.name}` {piece.zh} {piece.en}", *([one] if one else [])]
        parts.append(table(("tag", "kind", "unit", "command"), rows))
    return "\n\n".join(parts)


def _shape(cls: Any) -> str:
    texts = fields(cls)
    rows = []
    for name, field in cls.__dataclass_fields__.items():
        default = field.default
        kept = default is not None and not repr(default).startswith(("<dataclasses", "<factory")) and default != ()
        has = f"`{default}`" if kept and "MISSING" not in repr(default) and default != "" else ""
        rows.append((f"`{name}`", field.type, has, texts[name]))
    return table(("key", "type", "default", "meaning"), rows)


def profiles() -> str:
    """Return every profile of the product with its points."""
    library = Library()
    found = [library.get(name) for name in library.names()]
    profiles = [profile for profile in found if not isinstance(profile, Problem)]
    rows = [
        (
            f"[`{profile.id}`](#{profile.id})",
            f"{profile.vendor} {profile.model}",
            profile.equipment,
            profile.protocol,
            len(profile.points),
            sum(point.write is not None for point in profile.points),
        )
        for profile in profiles
    ]
    parts = [
        "# Profiles that come along",
        "`shifu read --profiles` lists them, `shifu read ADDRESS --profile ID` reads a real device with one.",
        table(("profile", "model", "equipment", "protocol", "points", "commands"), rows),
    ]
    for profile in profiles:
        parts += [
            f"## {profile.id}",
            (
                f"{profile.vendor} {profile.model}, {profile.protocol}, every {profile.period_s:g} s. "
                f"Source: {profile.source}."
            ),
        ]
        if profile.keepalive:
            parts.append(f"Heartbeat: `{profile.keepalive.tag}` every {profile.keepalive.every_s:g} s.")
        points = [
            (
                f"`{point.tag}`",
                point.zh,
                point.en,
                point.kind,
                point.unit,
                "" if point.write is None else f"{point.write.low:g} … {point.write.high:g}, fail {point.write.fail}",
            )
            for point in profile.points
        ]
        parts.append(table(("tag", "中文", "English", "kind", "unit", "command"), points))
    return "\n\n".join(parts)

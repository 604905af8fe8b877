"""The rows of notify.toml and what they amount to: channels, contacts, duties, routes.

Secrets are named, never written: `password_env`, `url_file` and the like, as everywhere.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from controller.errors import InvalidError
from controller.identity.permission import Role
from controller.notify.chat import check_address, inside
from controller.notify.escalation import takes
from controller.notify.plan import ChannelSpec, Contact, NotifyPlan, Pace, Route, Step, Target, Way
from controller.notify.roster import Duty, Quiet
from controller.point.model import Name
from controller.settings.file import NameRow  # noqa: TC001 - pydantic reads the annotations
from controller.settings.problem import Problem, nearest
from controller.settings.roster import HoursRow, Issue, RosterFrame, RosterRow, Short, Word, hours_of
from controller.settings.secret import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from controller.alarm.definition import AlarmDefinition
    from controller.point.model import Site
    from controller.settings.source import Source

__all__ = ["NotifyFile", "notify_plan"]

Priority = Annotated[int, Field(ge=1, le=4)]
TargetWord = Annotated[str, StringConstraints(pattern=r"^(duty|contact):[a-z0-9][a-z0-9_-]{0,62}$")]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PaceRow(_Row):
    """`pace`: what a contact gets one by one; the rest comes as one message with a count."""

    most: Annotated[int, Field(ge=1, le=100)] = 5
    within_min: Annotated[FiniteFloat, Field(ge=1, le=120)] = 10


class ChannelRow(_Row):
    """`[[channel]]`: one way out of the house."""

    id: Word
    kind: Literal["push", "mail", "webhook", "app"]
    name: NameRow
    host: Short = ""
    """Mail: the relay."""
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Literal["tls", "starttls", "none"] = "starttls"
    sender: Short = ""
    """Mail: who it is from."""
    user: Short = ""
    password_env: Short = ""
    password_file: Short = ""
    url: Short = ""
    """Webhook without a secret in its address."""
    url_env: Short = ""
    """Webhook or app: environment variable that holds the address."""
    url_file: Short = ""


class WayRow(_Row):
    """One way to a contact."""

    channel: Word
    to: Short = ""
    """Mail address, or what `{to}` in the channel's address stands for."""


class QuietRow(HoursRow):
    """When messages of these priorities wait. Life safety never does."""

    priorities: Annotated[list[Priority], Field(default=[3, 4], min_length=1, max_length=4)]


class ContactRow(_Row):
    """`[[contact]]`: a role or a mailbox of the house, never a person by name."""

    id: Word
    name: NameRow
    language: Literal["zh", "en"] = "zh"
    user: Short = ""
    """Account whose rights the acknowledge link in a message has."""
    role: Short = ""
    """Push goes to all with this role who have set up a phone."""
    ways: Annotated[list[WayRow], Field(min_length=1, max_length=10)]
    """In the order in which they are tried."""
    quiet: QuietRow | None = None


class DutyRow(RosterRow):
    """`[[duty]]`: who is on duty, by weekly pattern, holidays and substitutes."""

    id: Word
    name: NameRow
    otherwise: Annotated[list[Word], Field(min_length=1, max_length=20)]
    """Who is told while nobody is on duty."""


class StepRow(_Row):
    """Who is told when nobody has acknowledged for so long."""

    after_min: Annotated[FiniteFloat, Field(ge=0, le=1440)] = 0
    to: Annotated[list[TargetWord], Field(min_length=1, max_length=20)]
    """`duty:<id>` or `contact:<id>`."""


class RouteRow(_Row):
    """`[[route]]`: which alarms go to whom. Every route that takes an alarm is followed."""

    id: Word
    name: NameRow
    life_safety: bool | None = None
    """true: those alone; false: all others alone."""
    priorities: Annotated[list[Priority], Field(min_length=1, max_length=4)] = [1, 2, 3, 4]
    systems: Annotated[list[Word], Field(max_length=50)] = []
    areas: Annotated[list[Word], Field(max_length=100)] = []
    floors: Annotated[list[Short], Field(max_length=120)] = []
    hours: HoursRow | None = None
    steps: Annotated[list[StepRow], Field(min_length=1, max_length=10)]


class NotifyFile(_Row):
    """notify.toml."""

    address: Short = ""
    """Under which phones and mail programs find the control room, `https://…`."""
    gateway: Short = ""
    """HTTP proxy through which push and chat go out, for a control room without internet."""
    hosts: Annotated[list[Short], Field(max_length=50)] = []
    """Hosts of the house that may be reached without TLS, and directly in spite of a gateway."""
    cleared: Literal["push", "all", "none"] = "push"
    """By which ways those who were told hear that the alarm is over."""
    pace: PaceRow = PaceRow()
    reports: Annotated[list[TargetWord], Field(max_length=20)] = []
    """Who gets the reports that are made by schedule, `duty:<id>` or `contact:<id>`."""
    channel: Annotated[list[ChannelRow], Field(max_length=20)] = []
    contact: Annotated[list[ContactRow], Field(max_length=200)] = []
    duty: Annotated[list[DutyRow], Field(max_length=50)] = []
    route: Annotated[list[RouteRow], Field(max_length=100)] = []


def notify_plan(
    row: NotifyFile,
    places: Source,
    site: Site,
    folder: Path,
    environment: Mapping[str, str],
    alarms: Iterable[AlarmDefinition],
    problems: list[Problem],
    notices: list[str],
) -> NotifyPlan:
    """Return what notify.toml says; what is wrong goes to `problems`, what should be known to `notices`.

    `alarms` are those of the site: each of life safety must have a route, where there are routes at all.
    """
    before = len(problems)

    def tell(issue: Issue) -> None:
        key = ".".join(str(part) for part in issue.path if isinstance(part, str))
        problems.append(Problem(places.name, places.line(issue.path), key, issue.got, issue.wanted, issue.todo))

    hosts = tuple(sorted({host.lower() for host in row.hosts}))
    for issue in _addresses(row):
        tell(issue)
    channels: dict[str, ChannelSpec] = {}
    for at, channel in enumerate(row.channel):
        spec, issues = _channel(channel, hosts, folder, environment)
        if channel.id in channels:
            issues.append(Issue(("id",), f'"{channel.id}" twice', "an id of its own"))
        for issue in issues:
            tell(issue._replace(path=("channel", at, *issue.path)))
        channels[channel.id] = spec
        if spec.missing:
            notices.append(f"notify.toml: channel {channel.id} is not set up: {spec.missing.en}")
    contacts: dict[str, Contact] = {}
    for at, contact in enumerate(row.contact):
        issues = _contact_issues(contact, channels)
        if contact.id in contacts:
            issues.append(Issue(("id",), f'"{contact.id}" twice', "an id of its own"))
        for issue in issues:
            tell(issue._replace(path=("contact", at, *issue.path)))
        contacts[contact.id] = _contact(contact)
    frame = RosterFrame(contacts)
    duties: dict[str, Duty] = {}
    for at, duty in enumerate(row.duty):
        base = Duty(duty.id, Name(duty.name.zh, duty.name.en), (), tuple(duty.otherwise))
        made, issues = frame.duty(base, duty)
        issues += frame.known(duty.otherwise, ("otherwise",))
        if duty.id in duties:
            issues.append(Issue(("id",), f'"{duty.id}" twice', "an id of its own"))
        for issue in issues:
            tell(issue._replace(path=("duty", at, *issue.path)))
        duties[duty.id] = made
    routes = []
    for at, route in enumerate(row.route):
        issues = _route_issues(route, contacts, duties, site)
        if route.id in row_ids(row.route[:at]):
            issues.append(Issue(("id",), f'"{route.id}" twice', "an id of its own"))
        for issue in issues:
            tell(issue._replace(path=("route", at, *issue.path)))
        routes.append(_route(route))
    for issue in _unknown(row.reports, ("reports",), contacts, duties):
        tell(issue)
    plan = NotifyPlan(
        contacts,
        duties,
        tuple(routes),
        channels,
        Pace(row.pace.most, row.pace.within_min * 60.0),
        row.address,
        row.gateway,
        hosts,
        _targets(row.reports),
        row.cleared,
    )
    if plan.routes and len(problems) == before:
        problems += _untold(plan, places, site, alarms)
    notices += _thin(plan)
    return plan


def row_ids(rows: Iterable[RouteRow]) -> set[str]:
    """Return the ids of some rows."""
    return {row.id for row in rows}


def _number(host: str) -> bool:
    """Tell whether it is an address of IP version 6, which has colons."""
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _addresses(row: NotifyFile) -> list[Issue]:
    issues = []
    parts = urlsplit(row.address)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if row.address and not (parts.hostname and (parts.scheme == "https" or (local and parts.scheme == "http"))):
        wanted = "https://… under which phones find the control room"
        issues.append(Issue(("address",), f'"{row.address}"', wanted))
    gate = urlsplit(row.gateway)
    if row.gateway and (gate.scheme not in ("http", "https") or not gate.hostname or gate.username):
        wanted = "a proxy such as http://gateway.example:3128, without a password"
        issues.append(Issue(("gateway",), "something else", wanted))
    for at, host in enumerate(row.hosts):
        if not host or (any(char in host for char in "/:@ ") and not _number(host)):
            issues.append(Issue(("hosts", at), f'"{host}"', "the name or address of a host, without port"))
    return issues


def _channel(
    row: ChannelRow, hosts: tuple[str, ...], folder: Path, environment: Mapping[str, str]
) -> tuple[ChannelSpec, list[Issue]]:
    issues: list[Issue] = []
    missing: list[Name] = []

    def secret(key: str) -> str:
        named = {f"token_{kind}": where for kind in ("env", "file") if (where := getattr(row, f"{key}_{kind}"))}
        if len(named) > 1:
            issues.append(Issue((f"{key}_file",), "both", f'one of "{key}_env" and "{key}_file"'))
            return ""
        found, _, lacking = resolve(named, environment, folder)
        missing.extend(
            Name(said.zh.replace("（token）", f"（{key}）"), said.en.replace("(token)", f"({key})")) for said in lacking
        )
        return found.get("token", "")

    spec = ChannelSpec(
        row.id,
        row.kind,
        Name(row.name.zh, row.name.en),
        row.host.lower(),
        row.port or {"tls": 465, "starttls": 587, "none": 25}[row.security],
        row.security,
        row.sender,
        row.user,
        secret("password"),
        row.url or secret("url"),
    )
    if row.kind == "mail":
        issues += [
            Issue((key,), "nothing", "this key", "Add it.") for key in ("host", "sender") if not getattr(row, key)
        ]
        if row.host and row.security == "none" and spec.host not in hosts:
            wanted = '"starttls" or "tls", or a host that is listed in `hosts`'
            issues.append(Issue(("security",), '"none"', wanted))
    elif row.kind == "push":
        pass
    elif not (row.url or row.url_env or row.url_file):
        issues.append(Issue(("url_env",), "nothing", '"url_env" or "url_file"', "Say where the address is."))
    elif spec.url:
        key = "url" if row.url else "url_env" if row.url_env else "url_file"
        issues += _target(row.kind, spec.url, hosts, key)
    if missing:
        spec = replace(spec, missing=Name("；".join(one.zh for one in missing), "; ".join(one.en for one in missing)))
    return spec, issues


def _target(kind: str, url: str, hosts: tuple[str, ...], key: str) -> list[Issue]:
    """Check where a webhook or an app leads; what it got is not shown, for it may be a secret."""
    if kind == "app":
        try:
            check_address(url, hosts)
        except InvalidError as error:
            return [Issue((key,), "an address that is not used", str(error))]
        return []
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if inside(host) and host not in hosts:
        wanted = "the number of a private network to be listed in `hosts`"
        return [Issue((key,), "another address", wanted, "List it, if it is meant.")]
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in hosts)):
        return [Issue((key,), "another address", "https://…, or http:// to a host that is listed in `hosts`")]
    return []


def _contact_issues(row: ContactRow, channels: Mapping[str, ChannelSpec]) -> list[Issue]:
    issues = []
    for at, way in enumerate(row.ways):
        spec = channels.get(way.channel)
        if spec is None:
            todo = nearest(way.channel, channels)
            issues.append(Issue(("ways", at, "channel"), f'"{way.channel}"', "a channel of notify.toml", todo))
            continue
        if spec.kind == "mail" and "@" not in way.to:
            issues.append(Issue(("ways", at, "to"), "nothing" if not way.to else f'"{way.to}"', "a mail address"))
        if spec.kind == "push" and not (row.user or row.role):
            todo = "Push goes to phones of accounts."
            issues.append(Issue(("ways", at, "channel"), "push", '"user" or "role" in this contact', todo))
    if row.role and row.role not in list(Role):
        issues.append(Issue(("role",), f'"{row.role}"', f"one of {', '.join(Role)}", nearest(row.role, list(Role))))
    return issues


def _contact(row: ContactRow) -> Contact:
    quiet = row.quiet
    hours = None if quiet is None else hours_of(quiet)
    return Contact(
        row.id,
        Name(row.name.zh, row.name.en),
        tuple(Way(way.channel, way.to) for way in row.ways),
        row.language,
        row.user,
        row.role,
        None
        if quiet is None or hours is None
        else Quiet(hours.days, hours.start_min, hours.end_min, tuple(sorted(set(quiet.priorities)))),
    )


def _route_issues(
    row: RouteRow, contacts: Mapping[str, Contact], duties: Mapping[str, Duty], site: Site
) -> list[Issue]:
    issues = []
    for at, step in enumerate(row.steps):
        issues += _unknown(step.to, ("steps", at, "to"), contacts, duties)
    floors = {floor.id for building in site.buildings.values() for floor in building.floors}
    systems = {piece.system for piece in site.equipment.values()} | {"system"}
    for key, names, known_names in (
        ("areas", row.areas, set(site.areas)),
        ("floors", row.floors, floors),
        ("systems", row.systems, systems),
    ):
        for place, name in enumerate(names):
            if name not in known_names:
                wanted = f"one of {', '.join(sorted(known_names))}"
                issues.append(Issue((key, place), f'"{name}"', wanted, nearest(name, known_names)))
    return issues


def _unknown(
    words: Sequence[str], path: tuple[str | int, ...], contacts: Mapping[str, Contact], duties: Mapping[str, Duty]
) -> list[Issue]:
    """Say which targets are neither a duty nor a contact."""
    issues = []
    for place, word in enumerate(words):
        kind, _, name = word.partition(":")
        known: Mapping[str, object] = duties if kind == "duty" else contacts
        if name not in known:
            issues.append(Issue((*path, place), f'"{word}"', f"a {kind} of notify.toml", nearest(name, known)))
    return issues


def _targets(words: Sequence[str]) -> tuple[Target, ...]:
    return tuple(Target("duty" if word.startswith("duty:") else "contact", word.partition(":")[2]) for word in words)


def _route(row: RouteRow) -> Route:
    steps = tuple(
        Step(
            step.after_min * 60.0,
            _targets(step.to),
        )
        for step in row.steps
    )
    return Route(
        row.id,
        Name(row.name.zh, row.name.en),
        steps,
        row.life_safety,
        tuple(sorted(set(row.priorities))),
        tuple(row.systems),
        tuple(row.areas),
        tuple(row.floors),
        None if row.hours is None else hours_of(row.hours),
    )


def _untold(plan: NotifyPlan, places: Source, site: Site, alarms: Iterable[AlarmDefinition]) -> list[Problem]:
    """Refuse routes that leave alarms of life safety out, naming the classes of equipment that have them."""
    left = [one for one in alarms if one.life_safety and not any(takes(route, one) for route in plan.routes)]
    if not left:
        return []
    pieces = (site.equipment.get(one.equipment) for one in left)
    classes = sorted({one.system if piece is None else piece.cls for one, piece in zip(left, pieces, strict=True)})
    got = f"no route for life safety of {', '.join(classes)} ({left[0].id}{', …' if len(left) > 1 else ''})"
    todo = "One with life_safety = true and no other filter takes them all."
    return [Problem(places.name, places.line(("route", 0)), "route", got, "one for every alarm of life safety", todo)]


def _thin(plan: NotifyPlan) -> list[str]:
    """Say which contacts of life safety have one way alone: push through a vendor's cloud is best effort."""
    found: dict[str, None] = {}
    for route in plan.routes:
        if route.life_safety is False:
            continue
        for target in (target for step in route.steps for target in step.to):
            duty = plan.duties.get(target.id) if target.kind == "duty" else None
            names = [target.id] if target.kind == "contact" else []
            if duty is not None:
                names = [*duty.otherwise, *(name for shift in duty.shifts for name in shift.contacts)]
            found |= dict.fromkeys(names)
    return [
        f"notify.toml: contact {name} is told of life safety by {len(plan.contacts[name].ways)} way; give it a second"
        for name in found
        if name in plan.contacts and len(plan.contacts[name].ways) < 2
    ]

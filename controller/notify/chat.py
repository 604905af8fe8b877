"""Mail, webhooks and chat services. The one module that knows `apprise`.

An Apprise address holds its secrets; it is built for each message, given to the library, and neither logged nor kept
with what became of the message. What the library says of a failure goes through `redact`.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import apprise
from apprise import conversion

from controller.errors import InvalidError
from controller.notify.channel import REDIRECTED, Parcel, Threads
from controller.notify.notice import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.notify.plan import ChannelSpec

__all__ = ["SERVICES", "ChatChannel", "address", "check_address", "inside", "prepare", "redact", "warm"]

SERVICES = (
    "discord", "gchat", "line", "msteams", "pbul", "pover", "slack", "sns", "spush", "tgram", "twilio", "viber",
    "whatsapp", "webexteams", "workflows",
)  # fmt: skip
"""Chat services with a fixed HTTPS address of their vendor."""
_HOSTED = ("apprise", "form", "gotify", "json", "mailto", "matrix", "mmost", "ntfy", "rocket", "signal", "synology")
"""Services on a host that the address names; with an `s` behind them they are called over TLS."""
_TIMEOUT_S = 10.0
_LOGGER = "apprise"
_NO_ANSWER = ("Read timed out", "ReadTimeout", "Connection unexpectedly closed: timed out")
"""What `requests` and `smtplib` say when they had handed over and no answer came."""
_REDIRECT = re.compile(r"\berror=3\d\d\b")
"""What a service says of an answer of 3xx."""
_MOST = 200


def inside(host: str) -> bool:
    """Tell whether a host is this machine or a private network, by its number however it is written; asks no DNS.

    `127.1` and `0x7f000001` are numbers too: the C library takes them (inet_aton).
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        try:
            found = ipaddress.ip_address(socket.inet_aton(name))
        except (OSError, ValueError):
            return False
    mapped = getattr(found, "ipv4_mapped", None)
    return not (mapped or found).is_global


def check_address(url: str, hosts: Collection[str]) -> None:
    """Check where an Apprise address leads: to a known service, over TLS, or to a host of the house.

    Raises:
        InvalidError: it is none of these; the message holds no secret.
    """
    scheme, found, _ = url.partition("://")
    scheme = scheme.lower()
    if not found:
        raise InvalidError("this is no address; the form is that of github.com/caronc/apprise, such as line://…/{to}")
    if scheme in SERVICES:
        pass
    elif scheme in _HOSTED or scheme.removesuffix("s") in _HOSTED:
        host = (urlsplit(url).hostname or "").lower()
        if scheme in _HOSTED and host not in hosts:
            raise InvalidError(
                f"{scheme}:// leads to a host without TLS that is not in `hosts`; use {scheme}s://, or list the host"
            )
        if inside(host) and host not in hosts:
            raise InvalidError(f"{scheme}:// leads to a number of a private network that is not in `hosts`; list it")
    else:
        raise InvalidError(f"{scheme[:20]}:// is no service that is used here; {', '.join(SERVICES + _HOSTED)} are")
    try:
        made = apprise.Apprise.instantiate(url.replace("{to}", "10001"), suppress_exceptions=True)
    except (TypeError, ValueError):
        made = None
    if made is None:
        raise InvalidError(f"this {scheme}:// address cannot be used; the form is that of github.com/caronc/apprise")


def address(spec: ChannelSpec, parcel: Parcel) -> str:
    """Return the Apprise address of a channel for one message. It holds secrets."""
    if spec.kind == "mail":
        scheme = "mailto" if spec.security == "none" else "mailtos"
        login = f"{quote(spec.user, safe='')}:{quote(spec.password, safe='')}@" if spec.user else ""
        query = {
            "smtp": spec.host,
            "from": spec.sender,
            "to": parcel.to,
            "mode": {"none": "insecure", "starttls": "starttls", "tls": "ssl"}[spec.security],
            "cto": f"{_TIMEOUT_S:g}",
            "+X-Shifu-Message": parcel.id,
            "format": "text",
        }
        return f"{scheme}://{login}{spec.host}:{spec.port}?{urlencode(query)}"
    if spec.kind == "webhook":
        parts = urlsplit(spec.url)
        scheme = "jsons" if parts.scheme == "https" else "json"
        query = {":id": parcel.id, "+X-Shifu-Message": parcel.id}
        # The receiver's own query goes with it, as Apprise writes one.
        own = "".join(f"&-{pair}" for pair in parts.query.split("&") if pair)
        return f"{scheme}://{parts.netloc}{parts.path}?{urlencode(query)}{own}&rto={_TIMEOUT_S:g}&cto={_TIMEOUT_S:g}"
    return spec.url.replace("{to}", quote(parcel.to, safe=""))


def redact(text: str) -> str:
    """Return a sentence of a library without addresses, tokens and mail boxes, on one line and short."""
    text = re.sub(r"[a-z][a-z0-9+.-]*://\S+", "(address)", text, flags=re.IGNORECASE)
    text = re.sub(r"[\w.+-]+@[\w.-]+", "(mail)", text)
    text = re.sub(r"(?:url|with url|path)[:=]\s*\S+", "(path)", text, flags=re.IGNORECASE)
    text = re.sub(r"/\S{6,}", "(path)", text)
    text = re.sub(r"\b[A-Za-z0-9_-]{20,}\b", "(hidden)", text)
    return " ".join(text.split())[:_MOST]


class _Listener(logging.Handler):
    """Hears what the library says on one thread."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._of = threading.get_ident()
        self.said: list[str] = []
        self.timed_out = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep warnings; of what the library says in detail only that an answer did not come."""
        if record.thread != self._of:
            return
        text = record.getMessage()
        if any(words in text for words in _NO_ANSWER):
            self.timed_out = True
        if record.levelno >= logging.WARNING and len(self.said) < 3:
            self.said.append(text)


def warm() -> None:
    """Have the library find its services, which takes a second and would be added to the first message. Blocks."""
    apprise.Apprise.instantiate("json://localhost", suppress_exceptions=True)


class ChatChannel:
    """Sends one message at a time by what the channel's address names."""

    def __init__(self, spec: ChannelSpec) -> None:
        """Take the channel as the files say it."""
        self._spec = spec
        self._threads = Threads(spec.id)

    async def send(self, parcel: Parcel) -> Outcome:
        """Send one message, once."""
        return await self._threads.run(self._notify, parcel)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.close()

    def _notify(self, parcel: Parcel) -> Outcome:
        logger = logging.getLogger(_LOGGER)
        listener = _Listener()
        logger.addHandler(listener)
        try:
            made = apprise.Apprise.instantiate(address(self._spec, parcel), suppress_exceptions=True)
            if made is None:
                return Outcome("refused", "the address of this contact cannot be used on this channel")
            # Set last: the address may say otherwise (`redirect=yes`).
            made.redirects = False
            # The service itself and not `Apprise.notify`, which would use threads of its own, one pool for all.
            sent = made.notify(
                body=_formatted(made, parcel.body),
                title=parcel.title,
                notify_type=apprise.NotifyType.FAILURE if parcel.urgent else apprise.NotifyType.INFO,
                attach=apprise.AppriseAttachment(list(parcel.attachments)) if parcel.attachments else None,
            )
        finally:
            logger.removeHandler(listener)
        if sent:
            return Outcome("sent")
        if listener.timed_out:
            return Outcome("unknown", "the receiver took the message and did not answer")
        if any(_REDIRECT.search(said) for said in listener.said):
            return Outcome("failed", REDIRECTED)
        return Outcome("failed", redact("; ".join(listener.said)) or "the channel did not take the message")


def _formatted(service: Any, body: str) -> str:
    """Return a text in the form that a service wants: some take HTML or Markdown alone."""
    convert: Any = conversion.convert_between
    return str(convert(apprise.NotifyFormat.TEXT, service.notify_format, body))


def prepare(gateway: str, hosts: Collection[str]) -> None:
    """Set the library up: its proxy, and silence.

    Apprise has no setting for a proxy; the one that it listens to is the environment of the process. What stands there
    already is replaced: what goes out is said by notify.toml and by nothing else. Hosts of the house are called
    directly. The logs of the library and of what it stands on hold addresses with secrets, so they go nowhere.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    if gateway:
        os.environ |= {"HTTP_PROXY": gateway, "HTTPS_PROXY": gateway}
        os.environ["NO_PROXY"] = ",".join(sorted({"127.0.0.1", "localhost", "::1", *hosts}))
    logger = logging.getLogger(_LOGGER)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

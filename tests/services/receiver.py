"""Receivers of messages on loopback: a mail relay and a web server that write down what they are given.

Both run on threads of their own and can be told to refuse, to answer late, or not at all.
"""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from email.message import Message


@dataclass
class Mail:
    """One message that the relay took."""

    id: str
    subject: str
    body: str
    sender: str
    to: list[str]
    at: float = field(default_factory=time.monotonic)
    """When the whole of it was here."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Attachments by name."""


class _Smtp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        relay = cast("MailRelay._Server", self.server).relay
        self._say("220 relay")
        sender, to = "", []
        while line := self.rfile.readline(4096).decode("latin-1").strip():
            verb = line.upper()
            if verb.startswith("EHLO"):
                self._say("250-relay", "250 8BITMIME")
            elif verb.startswith("MAIL FROM:"):
                sender = line[10:].split()[0].strip("<>")
                self._say("250 ok")
            elif verb.startswith("RCPT TO:"):
                to.append(line[8:].strip("<> "))
                self._say("451 later" if relay.refusing else "250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                self._take(relay, sender, to)
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _take(self, relay: MailRelay, sender: str, to: list[str]) -> None:
        lines = []
        while (line := self.rfile.readline(100_000)) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        parsed = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        part = parsed.get_body(("plain",))
        body = "" if part is None else part.get_content()
        mail = Mail(parsed["X-Shifu-Message"] or "", parsed["Subject"] or "", body, sender, list(to))
        for attached in parsed.iter_attachments():
            mail.files[attached.get_filename() or ""] = bytes(attached.get_content())
        relay.mails.append(mail)
        relay.arrived.set()
        relay.go_on.wait(30)
        self._say("250 taken")

    def _say(self, *lines: str) -> None:
        for line in lines:
            self.wfile.write(f"{line}\r\n".encode())


class MailRelay:
    """An SMTP server without TLS that keeps every mail in memory."""

    class _Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        relay: MailRelay

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refusing = False
        self.arrived = threading.Event()
        """Set when a mail came, before it is answered."""
        self.go_on = threading.Event()
        """Cleared: a mail is taken and its sender is kept waiting."""
        self.go_on.set()
        self._server = self._Server(("127.0.0.1", 0), _Smtp)
        self._server.relay = self
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Post:
    """One request that the web server took."""

    path: str
    headers: Message
    """Names in any case."""
    body: bytes
    at: float = field(default_factory=time.monotonic)
    """When the whole of it was here."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WebReceiver:
    """A web server that takes every POST; `status` may be set, or `statuses` by path."""

    posts: list[Post] = field(default_factory=list)
    status: int = 200
    statuses: dict[str, int] = field(default_factory=dict)
    gets: list[str] = field(default_factory=list)
    """Paths of GET requests: nothing here makes one, but what follows a redirect does."""
    onward: str = ""
    """Where its answers of 3xx point."""
    arrived: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        receiver = self
        self.go_on.set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                receiver.posts.append(Post(self.path, self.headers, self.rfile.read(length)))
                receiver.arrived.set()
                receiver.go_on.wait(30)
                self.send_response(receiver.statuses.get(self.path, receiver.status))
                if receiver.onward:
                    self.send_header("Location", receiver.onward)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                receiver.gets.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

"""`shifu run` as a process, and Modbus TCP devices of words that count their connections."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.services.city import Client, wait_for


class WordServer:
    """One Modbus TCP device: 65,536 words, read by function 3 and 4, written by 6 and 16.

    Typed from the Modbus Application Protocol V1.1b3 (6.3, 6.4, 6.6, 6.12) and the TCP guide (3.1.3).
    """

    def __init__(self, port: int = 0) -> None:
        self.words = [0] * 65_536
        self.connections = 0
        self.writes: list[tuple[int, int]] = []
        self.refuses = 0
        """Exception code with which everything is answered."""
        self._sockets: set[socket.socket] = set()
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                owner.serve(self.request)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def put_float(self, register: int, value: float) -> None:
        """Store an IEEE 754 single, high word first, as Eastron does."""
        self.words[register : register + 2] = struct.unpack(">HH", struct.pack(">f", value))

    def serve(self, connection: socket.socket) -> None:
        self.connections += 1
        self._sockets.add(connection)
        with contextlib.suppress(OSError, EOFError):
            while True:
                head = self._exactly(connection, 7)
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                pdu = self._answer(self._exactly(connection, length - 1))
                connection.sendall(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
        self._sockets.discard(connection)

    @staticmethod
    def _exactly(connection: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _answer(self, pdu: bytes) -> bytes:
        function, first, count = struct.unpack(">BHH", pdu[:5])
        if self.refuses:
            return bytes([function | 0x80, self.refuses])
        if function in (3, 4):
            return struct.pack(">BB", function, 2 * count) + struct.pack(
                f">{count}H", *self.words[first : first + count]
            )
        if function == 6:
            self.words[first] = count
            self.writes.append((first, count))
            return pdu
        if function == 16:
            self.words[first : first + count] = struct.unpack(f">{count}H", pdu[6:])
            self.writes += [(first + place, self.words[first + place]) for place in range(count)]
            return pdu[:5]
        return bytes([function | 0x80, 1])

    def idle(self, seconds: float) -> bool:
        """Tell whether nobody is connected, after a moment in which a closed connection is noticed."""
        wait_for(lambda: not self._sockets, seconds, "a connection is open")
        return True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def shifu(*arguments: str, check: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; `check` is the exit code that is wanted, None takes any."""
    done = subprocess.run(
        [sys.executable, "-m", "controller", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    if check is not None and done.returncode != check:
        raise AssertionError(f"shifu {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


class Shifu:
    """`with Shifu(site, data) as running:` runs the controller on a free port until the block ends."""

    def __init__(self, site: Path, data: Path, *more: str) -> None:
        self.site, self.data = site, data
        self.url = ""
        self._out, self._err = data.with_suffix(".out"), data.with_suffix(".err")
        self._arguments = ["run", str(site), "--data", str(data), "--port", "0", "--log-json", *more]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def output(self) -> str:
        return self._out.read_text("utf-8")

    @property
    def log(self) -> str:
        return self._err.read_text("utf-8")

    def __enter__(self) -> Self:
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controller", *self._arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        process = self._process
        wait_for(lambda: "Shifu is at" in self.output or process.poll() is not None, 60, lambda: self.log[-2000:])
        if process.poll() is not None:
            raise AssertionError(f"ended at its start with {process.returncode}:\n{self.log[-3000:]}")
        found = re.search(r"Shifu is at (\S+)", self.output)
        assert found
        self.url = found.group(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20.0) -> int:
        process = self._process
        assert process
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
                raise AssertionError(f"did not stop within {seconds} s:\n{self.log[-2000:]}") from None
        return process.returncode

    def apply(self, *more: str, check: int | None = 0) -> subprocess.CompletedProcess[str]:
        return shifu("apply", str(self.site), "--data", str(self.data), *more, check=check)

    def user(self, role: str) -> Client:
        """Make a user of a role, sign in with the link, and set a password."""
        link = shifu("user", "add", f"test.{role}", "--role", role, "--data", str(self.data)).stdout.strip()
        client = Client(self.url)
        client.sign_in(link)
        answer: Any = client.post("/session/password", {"new": "correct horse battery staple 88"})
        client._csrf = answer["csrf"]
        return client

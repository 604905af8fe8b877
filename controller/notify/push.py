"""Web Push (RFC 8030, 8291, 8292) to installed phones. The one module that knows `pywebpush`.

The VAPID key is made at the first start and kept in the data folder, readable by its owner alone. Whoever has it can
send messages in the controller's name; a new one ends all subscriptions.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import orjson
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from controller.errors import InvalidError
from controller.notify.channel import REDIRECTED, Parcel, Threads
from controller.notify.message import PUSH_LIMIT
from controller.notify.notice import Outcome

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GONE", "PushChannel", "VapidKey"]

GONE = "the phone's subscription is over"
_TTL_S = 4 * 3600
"""How long the push service keeps a message for a phone that is off."""
_TIMEOUT_S = 10.0


class VapidKey:
    """The key that push services know the controller by."""

    def __init__(self, path: Path) -> None:
        """Read the key, or make one (mode 0600).

        Raises:
            InvalidError: the file is no such key.
            OSError: it cannot be read or made.
        """
        if not path.exists():
            secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            partial = path.with_name(f"{path.name}.new")
            partial.unlink(missing_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secret)
                os.fsync(file.fileno())
            partial.rename(path)
        path.chmod(0o600)
        try:
            self.vapid = Vapid02.from_pem(path.read_bytes())
            point = self.vapid.public_key.public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidError(
                f"{path} holds no P-256 key in PEM; move it away for a new one, and set all phones up again"
            ) from error
        self.public = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
        """As browsers want it (`applicationServerKey`): the point, base64url without padding."""


class PushChannel:
    """Sends to one phone at a time."""

    def __init__(self, key: VapidKey, subject: str, gateway: str = "") -> None:
        """Take the key, whom a push service may write to (`https://…` or `mailto:…`), and the proxy."""
        self._key = key
        self._subject = subject
        self._gateway = gateway
        self._threads = Threads("push")

    async def send(self, parcel: Parcel) -> Outcome:
        """Hand a message to the phone's push service."""
        return await self._threads.run(self._post, parcel)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.close()

    def _post(self, parcel: Parcel) -> Outcome:
        # 12 MB that a site without phones does without.
        from pywebpush import WebPushException, webpush  # noqa: PLC0415

        data = orjson.dumps(parcel.payload)
        if len(data) > PUSH_LIMIT:
            return Outcome("refused", f"the message has {len(data)} bytes; {PUSH_LIMIT} are the most")
        headers: dict[str, str | int | float] = {
            "Urgency": "high" if parcel.urgent else "normal",
            "Topic": str(parcel.payload.get("tag", ""))[:32] or "shifu",
        }
        with requests.Session() as session:
            # What goes out is said by notify.toml and by nothing else.
            session.trust_env = False
            # `pywebpush` follows what an answer points at; with none allowed `requests` raises before it calls.
            session.max_redirects = 0
            if self._gateway:
                session.proxies = {"http": self._gateway, "https": self._gateway}
            try:
                webpush(
                    parcel.keys,
                    data=data.decode(),
                    vapid_private_key=self._key.vapid,
                    vapid_claims={"sub": self._subject},
                    ttl=_TTL_S,
                    timeout=_TIMEOUT_S,
                    headers=headers,
                    requests_session=session,
                )
            except WebPushException as error:
                return _refused(error.status_code)
            except requests.ReadTimeout:
                return Outcome("unknown", "the push service took the message and did not answer")
            except requests.TooManyRedirects:
                return Outcome("failed", REDIRECTED)
            except requests.RequestException as error:
                return Outcome("failed", f"the push service cannot be reached: {type(error).__name__}")
            except (ValueError, TypeError) as error:
                return Outcome("refused", f"the phone's keys cannot be used: {type(error).__name__}")
        return Outcome("sent")


def _refused(status: int | None) -> Outcome:
    if status in (404, 410):
        return Outcome("refused", GONE)
    if status in (400, 401, 403, 413):
        return Outcome("refused", f"the push service refused the message ({status})")
    return Outcome("failed", f"the push service answered {status}")

"""MQTT over TLS against a real Mosquitto whose certificates are made here: trusted alone is connected to."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt import publish

from controller.clock import SystemClock
from drivers.driver import Device
from drivers.errors import ConnectError
from drivers.mqtt.driver import MqttDriver
from drivers.profile import load_profile
from tests.services.modbus import Keeper
from tests.services.mosquitto import Mosquitto

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

AM319 = load_profile(Path(__file__).parents[3] / "config/profiles/environment/milesight-am319.toml")
EUI = "24e124710c000001"
TOPIC = f"application/1/device/{EUI}/event/up"


class Authority:
    """Signs certificates; `ca` is its own file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key: EllipticCurvePrivateKey = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.ca = self._write(f"{name}-ca", self.name, self.key, days=30, address=None)[0]

    def issue(self, name: str, *, days: int = 30, address: str = "127.0.0.1") -> tuple[Path, Path]:
        """Make a certificate for an IP address, valid for `days` from now (or ended, if negative)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return self._write(name, subject, key, days=days, address=address)

    def _write(
        self, file: str, subject: x509.Name, key: EllipticCurvePrivateKey, *, days: int, address: str | None
    ) -> tuple[Path, Path]:
        now = datetime.now(UTC)
        own = address is None
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=own, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.KeyUsage(True, False, False, False, False, own, own, False, False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if address is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        paths = self.folder / f"{file}.pem", self.folder / f"{file}-key.pem"
        paths[0].write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "city")


def broker_with(folder: Path, pair: tuple[Path, Path], extra: str = "") -> Mosquitto:
    return Mosquitto(folder, extra=f"allow_anonymous true\ncertfile {pair[0]}\nkeyfile {pair[1]}\n{extra}")


def driver_to(broker: Mosquitto, scheme: str = "mqtts", **secrets: Any) -> MqttDriver:
    device = Device(
        "env1", AM319, f"{scheme}://127.0.0.1:{broker.port}", np.arange(len(AM319.points), dtype=np.int32),
        period_s=600.0, options={"application": "1", "dev_eui": EUI},
        secrets={key: str(value) for key, value in secrets.items()},
    )  # fmt: skip
    return MqttDriver([device], SystemClock())


def uplink(celsius: float, note: str = "") -> bytes:
    data = b"\x03\x67" + round(celsius * 10).to_bytes(2, "little", signed=True)
    event = {"time": datetime.now(UTC).isoformat(), "deviceInfo": {"devEui": EUI}, "fPort": 85, "note": note}
    return json.dumps(event | {"data": base64.b64encode(data).decode()}).encode()


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
async def test_with_the_right_ca_the_line_is_encrypted_and_carries_everything(
    tmp_path: Path, authority: Authority, scheme: str
) -> None:
    """A `ca` makes the connection TLS whatever the scheme; large and many messages fill more than one record."""
    with broker_with(tmp_path, authority.issue("broker")) as broker:
        driver, sink = driver_to(broker, scheme, ca=authority.ca), Keeper()
        await driver.connect()
        task = asyncio.ensure_future(driver.run(sink))
        try:
            # Retained, so that it comes with the subscription however late that is.
            last: Any = {"topic": TOPIC, "payload": uplink(20.0), "qos": 1, "retain": True}
            many: list[Any] = [{"topic": TOPIC, "payload": uplink(21.0, "x" * 60_000), "qos": 1} for _ in range(40)]
            await asyncio.to_thread(
                publish.multiple, [last], hostname="127.0.0.1", port=broker.port, tls={"ca_certs": str(authority.ca)}
            )
            await sink.until(lambda: sink.count("env1") >= 1)
            await asyncio.to_thread(
                publish.multiple, many, hostname="127.0.0.1", port=broker.port, tls={"ca_certs": str(authority.ca)}
            )
            await sink.until(lambda: sink.count("env1") >= 41)
            assert {float(batch.value[0]) for batch in sink.batches["env1"]} == {20.0, 21.0}
            assert driver.counts.faults == 0
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await driver.close()


async def test_an_untrusted_broker_is_refused_and_nothing_falls_back(tmp_path: Path, authority: Authority) -> None:
    other = Authority(tmp_path, "stranger")
    with broker_with(tmp_path, authority.issue("broker")) as broker:
        for driver, said in (
            (driver_to(broker), "not trusted"),
            (driver_to(broker, ca=other.ca), "not trusted"),
            (driver_to(broker, ca=tmp_path / "none.pem"), "No such file"),
            (driver_to(broker, "mqtt"), "connection"),
        ):
            with pytest.raises(ConnectError, match=said) as refused:
                await asyncio.wait_for(driver.connect(), 15)
            assert f"127.0.0.1:{broker.port}" in str(refused.value)
            await driver.close()


@pytest.mark.parametrize(
    ("days", "address", "said"), [(-1, "127.0.0.1", "expired"), (30, "127.0.0.9", "IP address mismatch")]
)
async def test_an_expired_certificate_or_another_host_is_refused(
    tmp_path: Path, authority: Authority, days: int, address: str, said: str
) -> None:
    pair = authority.issue("broker", days=days, address=address)
    with broker_with(tmp_path, pair) as broker, pytest.raises(ConnectError, match=said):
        await driver_to(broker, ca=authority.ca).connect()


async def test_a_broker_that_wants_a_certificate_of_ours_gets_it(tmp_path: Path, authority: Authority) -> None:
    extra = f"cafile {authority.ca}\nrequire_certificate true"
    ours = authority.issue("shifu")
    with broker_with(tmp_path, authority.issue("broker"), extra) as broker:
        driver = driver_to(broker, ca=authority.ca, certificate=ours[0], private_key=ours[1])
        await driver.connect()
        await driver.close()
        bare = driver_to(broker, ca=authority.ca)
        with pytest.raises(ConnectError):
            await bare.connect()
        await bare.close()

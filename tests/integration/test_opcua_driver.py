"""The OPC UA driver against a real server of the library, in the same process, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.clock import SystemClock
from drivers.driver import SubscribedDriver
from drivers.errors import ConnectError, DecodeError, DeviceRefusedError, NotWritableError, cause_of
from drivers.opcua.browse import probe
from drivers.opcua.driver import OpcUaDriver
from drivers.profile import load_profile, parse_profile
from drivers.reading import Quality
from tests.services.ddc import AHU, URI, Box, Ddc, HastyClock, ddc, device, free_port, running, small


def is_quality(box: Box, wanted: Quality) -> bool:
    last = box.last(0)
    return last is not None and last[1] == wanted


def is_value(box: Box, wanted: float) -> bool:
    last = box.last(0)
    return last is not None and last[0] == wanted


def certificate(
    folder: Path, name: str, uri: str, *, days: int = 30, signer: tuple[Path, Path] | None = None, ca: bool = False
) -> tuple[Path, Path]:
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    issuer_key, issuer = key, subject
    if signer:
        issuer_key = serialization.load_pem_private_key(signer[1].read_bytes(), None)  # type: ignore[assignment]
        issuer = x509.load_pem_x509_certificate(signer[0].read_bytes()).subject
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName(socket.gethostname())]),
            critical=False,
        )
        .add_extension(x509.KeyUsage(True, True, True, True, False, ca, False, False, False), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}-key.pem"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


async def test_opcua_whole_ahu_profile_arrives_in_one_batch_and_changes_follow() -> None:
    profile = load_profile(AHU)
    async with ddc(profile, prefixes=("AHU/01F-W", "AHU/02F-W")) as server:
        devices = [
            device(profile, server.port),
            device(profile, server.port, name="two", prefix="AHU/02F-W", first=100),
        ]
        driver, box = OpcUaDriver(devices, SystemClock()), Box()
        assert isinstance(driver, SubscribedDriver)
        async with running(driver, box):
            await box.until(lambda: {name for name, _ in box.batches} == {"ahu", "two"})
            assert [len(batch) for _, batch in box.batches[:2]] == [len(profile.points)] * 2
            assert box.last(profile.index("supply_air_temp")) is not None
            await server.nodes["AHU/02F-W/ZoneTemp"].write_value(26.25)
            number = 100 + profile.index("zone_temp")
            await box.until(lambda: (box.last(number) or (0,))[0] == 26.25)
            _, quality, time_ns = box.last(number) or (math.nan, Quality.BAD_COMM, 0)
            assert quality == Quality.GOOD
            assert 0 <= SystemClock().now_ns() - time_ns < 5e9
            assert box.batches[-1][0] == "two"
            await driver.write(devices[0], "controller_alive", 65535.0)
            alive = await server.nodes["AHU/01F-W/ControllerAlive"].read_data_value()
            assert (alive.Value.Value, alive.Value.VariantType) == (65535, ua.VariantType.UInt32)


async def test_opcua_restart_with_another_namespace_index_brings_the_values_again() -> None:
    profile = small("zone_temp")
    port = free_port()
    first = Ddc(port)
    await first.start(profile)
    driver, box = OpcUaDriver([device(profile, port)], SystemClock()), Box()
    async with running(driver, box) as task:
        await box.until(lambda: box.last(0) is not None)
        await first.stop()
        with pytest.raises(ConnectError):
            await asyncio.wait_for(task, 15)
    with pytest.raises(ConnectError, match=str(port)):
        await driver.connect()
    box.batches.clear()
    second = Ddc(port, before=3)
    await second.start(profile)
    try:
        async with running(driver, box):
            await box.until(lambda: box.last(0) is not None)
            await second.nodes["AHU/01F-W/ZoneTemp"].write_value(24.0)
            await box.until(lambda: (box.last(0) or (0,))[0] == 24.0)
    finally:
        await second.stop()


async def test_opcua_status_and_value_become_quality() -> None:
    profile = small("zone_temp")
    async with ddc(profile) as server:
        driver, box = OpcUaDriver([device(profile, server.port)], SystemClock()), Box()
        async with running(driver, box):
            await box.until(lambda: box.last(0) is not None)
            node = "AHU/01F-W/ZoneTemp"
            for code, value, wanted in (
                (StatusCodes.BadSensorFailure, 23.0, Quality.BAD_SENSOR),
                (StatusCodes.UncertainLastUsableValue, 22.0, Quality.UNCERTAIN_STALE),
                (StatusCodes.BadOutOfService, 22.0, Quality.BAD_OUT_OF_SERVICE),
                (StatusCodes.GoodLocalOverride, 25.0, Quality.GOOD_OVERRIDDEN),
                (StatusCodes.Good, math.nan, Quality.BAD_SENSOR),
                (StatusCodes.Good, 21.0, Quality.GOOD),
            ):
                await server.put(
                    node, ua.DataValue(ua.Variant(value, ua.VariantType.Double), ua.StatusCode(ua.UInt32(code)))
                )
                await box.until(partial(is_quality, box, wanted))
                got = box.last(0)
                assert got is not None
                assert math.isnan(got[0]) if wanted >= Quality.BAD_COMM else got[0] == value


async def test_opcua_missing_node_and_wrong_type_are_bad_config_alone() -> None:
    profile = small("zone_temp", "return_co2", "fan_run")
    server = Ddc(free_port())
    await server.start(profile, types={"return_co2": ua.VariantType.String})
    try:
        assert server.server is not None
        await server.server.delete_nodes([server.nodes["AHU/01F-W/FanRun"]])
        driver, box = OpcUaDriver([device(profile, server.port)], SystemClock()), Box()
        async with running(driver, box):
            await box.until(lambda: all(box.last(number) for number in range(4)))
            assert [box.last(number)[1] for number in range(4)] == [  # type: ignore[index]
                Quality.GOOD, Quality.BAD_CONFIG, Quality.BAD_CONFIG, Quality.GOOD,
            ]  # fmt: skip
            with pytest.raises(DecodeError, match="return_co2"):
                await driver.read(driver.devices[0], "return_co2")
            with pytest.raises(DeviceRefusedError, match="BadNodeIdUnknown"):
                await driver.read(driver.devices[0], "fan_run")
    finally:
        await server.stop()


async def test_opcua_unknown_namespace_is_bad_config_and_other_devices_live() -> None:
    profile = small("zone_temp", alive=False)
    odd = parse_profile(
        {
            "profile": {
                "id": "odd", "equipment": "ahu", "protocol": "opcua", "vendor": "v", "model": "m", "source": "test",
                "wire": {"namespace": "urn:nobody:has:this"},
            },
            "point": [{"tag": "zone_temp", "zh": "區", "en": "Z", "wire": {"node": "x", "type": "Double"}}],
        },
        "odd",
    )  # fmt: skip
    async with ddc(profile) as server:
        devices = [device(profile, server.port), device(odd, server.port, name="odd", first=50)]
        driver, box = OpcUaDriver(devices, SystemClock()), Box()
        async with running(driver, box):
            await box.until(lambda: box.last(0) is not None and box.last(50) is not None)
            assert box.last(0)[1] == Quality.GOOD  # type: ignore[index]
            assert box.last(50)[1] == Quality.BAD_CONFIG  # type: ignore[index]


async def test_opcua_write_takes_the_servers_type_and_refusals_carry_the_code() -> None:
    profile = small("zone_temp_sp", "fan_cmd", "mode", "zone_temp")
    async with ddc(profile) as server:
        one = device(profile, server.port)
        driver, box = OpcUaDriver([one], SystemClock()), Box()
        async with running(driver, box):
            await box.until(lambda: box.last(0) is not None)
            await driver.write(one, "zone_temp_sp", 24.5)
            await driver.write(one, "fan_cmd", 1.0)
            await driver.write(one, "mode", 2.0)
            assert await server.nodes["AHU/01F-W/ZoneTempSp"].read_value() == 24.5
            assert await server.nodes["AHU/01F-W/FanCmd"].read_value() is True
            mode = await server.nodes["AHU/01F-W/Mode"].read_data_value()
            assert (mode.Value.Value, mode.Value.VariantType) == (2, ua.VariantType.Int32)
            assert await driver.read(one, "zone_temp_sp") == 24.5
            for value in (0.5, 2.0, math.nan):
                with pytest.raises(NotWritableError):
                    await driver.write(one, "fan_cmd", value)
            with pytest.raises(NotWritableError, match="zone_temp"):
                await driver.write(one, "zone_temp", 20.0)
            with pytest.raises(KeyError):
                await driver.write(one, "nothing", 1.0)
            await server.nodes["AHU/01F-W/ZoneTempSp"].set_writable(False)
            with pytest.raises(DeviceRefusedError) as refused:
                await driver.write(one, "zone_temp_sp", 20.0)
            assert refused.value.code in (StatusCodes.BadUserAccessDenied, StatusCodes.BadNotWritable)
            assert await server.nodes["AHU/01F-W/ZoneTempSp"].read_value() == 24.5


async def test_opcua_unchanged_values_are_said_again_while_the_counter_moves_and_not_when_it_stands() -> None:
    profile = small("zone_temp")
    clock = HastyClock()
    async with ddc(profile) as server:
        driver, box = OpcUaDriver([device(profile, server.port, period_s=0.5)], clock), Box()
        async with running(driver, box):
            await box.until(lambda: box.last(0) is not None)
            moving = True

            async def count() -> None:
                number = 0
                while moving:
                    number += 1
                    await server.nodes["AHU/01F-W/Watchdog"].write_value(number, ua.VariantType.UInt32)
                    await clock.sleep(1.0)

            counter = asyncio.ensure_future(count())
            times: Callable[[], int] = lambda: sum(bool((batch.point == 0).any()) for _, batch in box.batches)  # noqa: E731
            await box.until(lambda: times() >= 3, 20)
            first, again = (box.batches[0][1].time_ns[0], (box.last(0) or (0, 0, 0))[2])
            assert 1e9 < again - first < 20e9
            moving = False
            await counter
            stopped = clock.monotonic()
            # Sampling is dead: the server lives and answers, and nothing is said again later than 10 s after the end.
            await box.until(lambda: clock.monotonic() - stopped > 12, 20)
            said = times()
            await box.until(lambda: clock.monotonic() - stopped > 19, 20)
            assert times() == said
            assert driver.counts.faults == 0
            assert await driver.read(driver.devices[0], "zone_temp") == 21.5


async def test_opcua_wrong_clock_of_the_server_gives_no_future_time() -> None:
    profile = small("zone_temp", alive=False)
    clock = SystemClock()
    async with ddc(profile) as server:
        driver, box = OpcUaDriver([device(profile, server.port)], clock), Box()
        async with running(driver, box):
            await box.until(lambda: box.last(0) is not None)
            now = datetime.now(UTC)
            for hours, value in ((1, 30.0), (-1, 31.0)):
                stamp: Any = now + timedelta(hours=hours)
                data = ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=stamp)
                await server.put("AHU/01F-W/ZoneTemp", data)
                await box.until(partial(is_value, box, value))
                time_ns = (box.last(0) or (0, 0, 0))[2]
                assert 0 <= clock.now_ns() - time_ns < 10e9


async def test_opcua_encrypted_session_and_what_is_refused(tmp_path: Path) -> None:
    profile = small("zone_temp", "zone_temp_sp")
    ours = certificate(tmp_path, "shifu", "urn:shifu:controller")
    theirs = certificate(tmp_path, "ddc", "urn:freeopcua:python:server")
    authority = certificate(tmp_path, "authority", "urn:authority", ca=True)
    signed = certificate(tmp_path, "signed", "urn:freeopcua:python:server", signer=authority)
    old = certificate(tmp_path, "old", "urn:freeopcua:python:server", days=-1)
    port = free_port()
    server = Ddc(port)

    def driver_with(ca: Path | None, **changes: Any) -> OpcUaDriver:
        secrets = {"user": "shifu", "password": "right", "certificate": str(ours[0]), "private_key": str(ours[1])}
        if ca:
            secrets["ca"] = str(ca)
        secrets |= changes.pop("secrets", {})
        one = device(profile, port, secrets=secrets, options={"security": "basic256sha256"})
        return OpcUaDriver([one], SystemClock())

    server.certificate = theirs
    await server.start(profile)
    try:
        good, box = driver_with(theirs[0]), Box()
        async with running(good, box):
            await box.until(lambda: box.last(0) is not None)
            await good.write(good.devices[0], "zone_temp_sp", 23.0)
        for bad, what, cause in (
            (driver_with(authority[0]), "is not trusted", "trust"),
            (driver_with(None), "no ca is given", "trust"),
            (driver_with(theirs[0], secrets={"password": "wrong"}), "refuses", "sign_in"),
            (driver_with(theirs[0], secrets={"private_key": str(tmp_path / "none.pem")}), "none.pem", "trust"),
        ):
            with pytest.raises(ConnectError, match=what) as refused:
                await bad.connect()
            assert cause_of(refused.value) == cause
        open_line = OpcUaDriver([device(profile, port)], SystemClock())
        with pytest.raises(ConnectError):
            await open_line.connect()
    finally:
        await server.stop()
    for pair, ca, wanted in ((signed, authority[0], None), (old, old[0], "expired")):
        server = Ddc(port)
        server.certificate = pair
        await server.start(profile)
        try:
            driver = driver_with(ca)
            if wanted is None:
                await driver.connect()
                await driver.close()
            else:
                with pytest.raises(ConnectError, match=wanted):
                    await driver.connect()
        finally:
            await server.stop()


async def test_opcua_silent_server_is_given_up() -> None:
    """It accepts the connection, as a stopped process does, and says nothing."""

    peers: list[asyncio.Task[Any]] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peers.append(task)
        with contextlib.suppress(ConnectionError):
            while await reader.read(1024):
                pass
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    driver = OpcUaDriver([device(small("zone_temp"), port)], SystemClock())
    with pytest.raises(ConnectError, match="no answer within"):
        await asyncio.wait_for(driver.connect(), 15)
    await driver.close()
    server.close()
    await asyncio.wait_for(asyncio.gather(*peers), 10)


async def test_opcua_probe_reads_a_node_and_lists_below_one() -> None:
    profile = small("zone_temp", "fan_run", alive=False)
    async with ddc(profile) as server:
        endpoint = f"opc.tcp://127.0.0.1:{server.port}"
        (one,) = await probe(endpoint, SystemClock(), nodes=(f"nsu={URI};s=AHU/01F-W/ZoneTemp",))
        assert (one.value, one.status, one.quality) == ("Double 21.5", "Good", "GOOD")
        below = await probe(endpoint, SystemClock(), nodes=(f"nsu={URI};s=AHU/01F-W",))
        assert {finding.name: finding.value for finding in below} == {
            "zone_temp": "Double 21.5",
            "fan_run": "Boolean False",
        }
        with pytest.raises(DeviceRefusedError, match="no namespace"):
            await probe(endpoint, SystemClock(), nodes=("nsu=urn:none;s=x",))
        with pytest.raises(DeviceRefusedError, match="BadNodeIdUnknown"):
            await probe(endpoint, SystemClock(), nodes=("ns=2;s=none",))

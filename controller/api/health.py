"""`/healthz`, `/readyz` and `/metrics`, outside of the API: for supervisors and Prometheus."""

import hmac
from collections import Counter
from collections.abc import Iterator

from fastapi import APIRouter, Depends, FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from controller.api.access import RuntimeDep, address_of
from controller.api.problem import Problem
from controller.api.render import Json
from controller.api.runtime import Runtime
from controller.identity.identity import is_loopback

__all__ = ["Open", "Scraper", "build_registry", "router"]

router = APIRouter(include_in_schema=False)


class Open:
    """Lets everybody in: supervisors have no account, and the answers tell nothing of the building."""

    public = True

    def __call__(self) -> None:
        """Return."""


class Scraper:
    """Lets this machine in, and whoever brings the metrics token."""

    public = True

    def __call__(self, request: Request) -> None:
        """Return, or raise the problem."""
        if is_loopback(address_of(request)):
            return
        wanted = request.app.state.settings.metrics_token
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if not wanted or scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Problem(401, "metrics are for this machine, or for the bearer of the metrics token")


@router.get("/healthz", dependencies=[Depends(Open())])
async def healthz() -> Json:
    """Say that the loop turns."""
    return Json({"status": "ok"})


@router.get("/readyz", dependencies=[Depends(Open())])
async def readyz(runtime: RuntimeDep) -> Json:
    """Say whether everything that is needed is there; 503 when not."""
    checks = {"journal": runtime.journal.healthy, **runtime.ready()}
    ready = all(checks.values())
    return Json({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)


@router.get("/metrics", dependencies=[Depends(Scraper())])
async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format."""
    return Response(generate_latest(request.app.state.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _RuntimeCollector(Collector):
    """Reads the runtime at each scrape."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        runtime = self._runtime
        devices = GaugeMetricFamily("shifu_devices", "Devices by state.", labels=["state"])
        for state, count in Counter(status.state for status in runtime.field.statuses()).items():
            devices.add_metric([state], count)
        yield devices
        alarms = GaugeMetricFamily("shifu_alarms_active", "Active alarms by priority.", labels=["priority"])
        by_priority = Counter(alarm.definition.priority for alarm in runtime.alarms.active())
        for priority in (1, 2, 3, 4):
            alarms.add_metric([str(priority)], by_priority[priority])
        yield alarms
        quality = runtime.table().quality
        numbers = [point.number for point in runtime.site().points.values() if point.number < len(quality)]
        values = quality[numbers]
        points = GaugeMetricFamily("shifu_points", "Points by severity of their quality.", labels=["quality"])
        points.add_metric(["good"], int((values < 64).sum()))
        points.add_metric(["uncertain"], int(((values >= 64) & (values < 128)).sum()))
        points.add_metric(["bad"], int((values >= 128).sum()))
        yield points
        journal = runtime.journal
        yield GaugeMetricFamily("shifu_journal_healthy", "1 while changes can be written.", int(journal.healthy))
        yield GaugeMetricFamily("shifu_journal_pending", "Entries not durable yet.", journal.pending)
        yield CounterMetricFamily("shifu_journal_failures", "Groups that failed.", journal.failures)
        if runtime.hub is not None:
            yield GaugeMetricFamily("shifu_stream_clients", "Open streams.", runtime.hub.clients)
            yield CounterMetricFamily("shifu_stream_frames", "Value frames encoded.", runtime.hub.encoded)
            yield CounterMetricFamily("shifu_stream_dropped", "Messages that slow clients missed.", runtime.hub.dropped)
        for name, value in runtime.metrics().items():
            yield GaugeMetricFamily(f"shifu_{name}", name.replace("_", " "), value)


def build_registry(app: FastAPI) -> CollectorRegistry:
    """Return a registry of its own, so that two controllers in one test process do not meet."""
    registry = CollectorRegistry()
    registry.register(_RuntimeCollector(app.state.runtime))
    return registry

"""`/healthz`, `/readyz` and `/metrics`, outside of the API: for supervisors and Prometheus.

A supervisor restarts on `/healthz` (the loop does not turn) and never on `/readyz`: a full disk is not mended by a
restart. Worth an alarm in Prometheus: `shifu_journal_healthy`, `shifu_log_healthy`, `shifu_history_healthy` or
`shifu_influx_healthy` 0; a growing `*_dropped_total`, `shifu_influx_missed_files_total`, `shifu_cycle_faults_total`;
`shifu_loop_slowest_seconds` above 1; `shifu_devices{state="lost"}`.
"""

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

MEANINGS = {
    "announcement_faults_total": "Announcements of alarms and commands that failed by a mistake of ours; 0 in health.",
    "command_reasserts_total": "Set-points written again because a device came back with another value.",
    "command_refreshes_total": "Set-points repeated for devices that forget them.",
    "commands_total": "Commands taken.",
    "cycle_faults_total": "Parts of a turn that failed; 0 in health.",
    "cycle_slowest_seconds": "The longest turn of the cycle since the start.",
    "cycle_turns_total": "Turns of the cycle; stands still when the controller does.",
    "events_total": "Events of devices.",
    "history_damaged_total": "Frames and blocks of the embedded history that could not be read; 0 in health.",
    "history_healthy": "1 while the embedded history can be written; the log keeps all meanwhile.",
    "history_lag_frames": "Frames of the log that queries do not see yet.",
    "inbox_dropped_events_total": "Events that were pushed out before the cycle took them; 0 in health.",
    "inbox_dropped_readings_total": "Readings that were pushed out before the cycle took them; 0 in health.",
    "inbox_waiting": "Readings that wait for the cycle.",
    "influx_backlog_frames": "Frames of earlier days that are not sent yet.",
    "influx_failures_total": "Requests that the InfluxDB server did not take; they are sent again.",
    "influx_healthy": "1 while the InfluxDB server takes lines.",
    "influx_lag_seconds": "Age of the oldest live reading that is not sent yet.",
    "influx_missed_files_total": "Day files that retention removed before they were sent.",
    "influx_pending_frames": "Live frames that are not sent yet.",
    "influx_quarantined_total": "Lines that the server will never take; they are in the side file.",
    "influx_unknown_total": "Readings whose point number has no address; not sent.",
    "influx_written_total": "Readings that the server took.",
    "log_dropped_total": "Readings that the log could not keep (disk full for too long); 0 in health.",
    "log_failures_total": "Commits of the log that failed; they are tried again.",
    "log_healthy": "1 while readings can be written to disk.",
    "log_pending": "Readings that are not durable yet.",
    "log_written_total": "Readings that are durable.",
    "loop_slowest_seconds": "The longest time since the start that the event loop woke late by.",
    "notify_dropped_total": "Messages that were not made because too many waited; 0 in health.",
    "notify_failed_total": "Messages that could not be delivered by any way.",
    "notify_sent_total": "Messages that a channel took.",
    "notify_waiting": "Messages that wait to be sent, or to be sent again.",
    "readings_late_total": "Readings that came too late to be the present value; they are in the history.",
    "readings_out_of_order_total": "Readings older than the present value; not applied.",
    "readings_total": "Readings taken by the cycle.",
    "readings_unknown_total": "Readings of a number that the site does not have.",
    "schedule_faults_total": "Looks at the schedules that failed by a mistake of ours; 0 in health.",
    "schedule_refused_points": "Points that a schedule could not set at its last look, such as those held in a fire.",
}
"""What the entries of `Runtime.metrics` mean, for the help lines; names that end in `_total` are counters."""


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
    """Say whether everything that is needed is there; 503 when not.

    `journal`: changes can be recorded. `started`: everything was opened once. `log`: readings reach the disk.
    `history`: the embedded history takes them over. Devices, brokers and InfluxDB are not in it: the controller serves
    people without them, and each has its alarm and its metric.
    """
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
        yield CounterMetricFamily(
            "shifu_journal_dropped", "Entries thrown away; whoever waited was told.", journal.dropped
        )
        yield CounterMetricFamily("shifu_journal_refused", "Entries that the schema refused.", journal.refused)
        if runtime.hub is not None:
            yield GaugeMetricFamily("shifu_stream_clients", "Open streams.", runtime.hub.clients)
            yield CounterMetricFamily("shifu_stream_frames", "Value frames encoded.", runtime.hub.encoded)
            yield CounterMetricFamily("shifu_stream_dropped", "Messages that slow clients missed.", runtime.hub.dropped)
        for name, value in runtime.metrics().items():
            text = MEANINGS.get(name, name.replace("_", " "))
            if name.endswith("_total"):
                yield CounterMetricFamily(f"shifu_{name.removesuffix('_total')}", text, value)
            else:
                yield GaugeMetricFamily(f"shifu_{name}", text, value)


def build_registry(app: FastAPI) -> CollectorRegistry:
    """Return a registry of its own, so that two controllers in one test process do not meet."""
    registry = CollectorRegistry()
    registry.register(_RuntimeCollector(app.state.runtime))
    return registry

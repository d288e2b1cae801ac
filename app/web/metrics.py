"""Metrics for a monitor (Prometheus text): the progress of the workers, as counts and times without personal data.

A key is required all the same. On a quiet service the counts of letters owed and of requests reveal whether an address
that was just signed up was known, and how many more signups would trip a breaker.

Invariant: all values come from the database at that moment, so every web process gives the monitor the same answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version

from flask import Blueprint, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from app import clock, metrics_counters
from app.abuse import attack_detection
from app.abuse.attack_detection import counting
from app.abuse.attack_detection.rules import NOTHING
from app.api_keys import Scope
from app.ledger import anchors, sealing
from app.ledger.audit import results
from app.ledger.log import newest_checkpoint
from app.logs import LINES_DROPPED
from app.mail import backlog, throttle
from app.web import current
from app.web.api import access
from app.web.security_log import REFUSED, Refusal

blueprint = Blueprint("metrics", __name__)

VERSION = version("jawel")


@blueprint.get("/metrics")
@access.requires(Scope.METRICS_READ)
def show() -> Response:
    """A key limited to newsletters sees per-newsletter metrics only of these; other metrics cover the whole service."""
    newsletters = [*filter(access.caller().sees, current.catalogue().open)]
    with current.database().read_only() as connection:
        text = generate_latest(_Figures(connection, current.settings().timestamp_authorities, newsletters))
    return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Figures(Collector):
    """Metrics as of now. The time of an event that never happened is 0, so that an alert on its age fires."""

    def __init__(self, connection: Connection, authorities: Sequence[str], newsletters: Sequence[str]) -> None:
        self._connection = connection
        self._authorities = authorities
        self._newsletters = newsletters
        self._now = clock.now()

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("jawel_build_info", "The version that answers.", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build
        yield from self._log()
        yield from self._audit()
        yield from self._anchors()
        yield from self._letters()
        yield from self._breakers()
        yield from self._delivery()
        yield from self._counters()

    def _log(self) -> Iterator[Metric]:
        newest = newest_checkpoint(self._connection)
        waiting = sealing.waiting(self._connection)
        yield _gauge("jawel_log_entries", "Events under the newest checkpoint.", newest.size if newest else 0)
        yield _gauge("jawel_unsealed_events", "Events that wait for their place in the log.", waiting.events)
        yield _gauge(
            "jawel_unsealed_oldest_age_seconds",
            "How long the first of them has waited; 0 where none does.",
            self._age(waiting.since),
        )
        yield _gauge(
            "jawel_refused_events",
            "Events that were not sealed, as nothing shows that this service wrote them.",
            waiting.refused,
        )

    def _audit(self) -> Iterator[Metric]:
        latest = results.latest(self._connection)
        yield _gauge(
            "jawel_audit_timestamp_seconds",
            "When the last audit ended.",
            _unix(latest.finished_at if latest else None),
        )
        yield _gauge("jawel_audit_events", "Events that the last audit saw.", latest.events if latest else 0)
        yield _gauge("jawel_audit_findings", "What the last audit found wrong.", latest.findings if latest else 0)

    def _anchors(self) -> Iterator[Metric]:
        if not self._authorities:
            return
        newest: dict[str, float] = {}
        for authority in self._authorities:
            host, at = anchors.name(authority), _unix(anchors.newest(self._connection, authority))
            newest[host] = max(at, newest.get(host, 0))
        family = GaugeMetricFamily(
            "jawel_anchor_timestamp_seconds",
            "When the authority last stamped a checkpoint.",
            labels=["authority"],
        )
        for host, at in newest.items():
            family.add_metric([host], at)
        yield family

    def _letters(self) -> Iterator[Metric]:
        owed = backlog.owed(self._connection)
        family = GaugeMetricFamily("jawel_letters_owed", "Letters to be sent, by state.", labels=["state"])
        for state, letters in owed.by_state.items():
            family.add_metric([state], letters)
        yield family
        yield _gauge(
            "jawel_letters_oldest_due_age_seconds",
            "How long the first letter that is due has been; 0 where none is.",
            self._age(owed.first_due_at),
        )
        yield _gauge(
            "jawel_letters_refused_by_relay",
            "Letters that wait because the mail server refuses us.",
            owed.refused_by_relay,
        )

    def _breakers(self) -> Iterator[Metric]:
        tripped = attack_detection.tripped(self._connection)
        hours = counting.last_hour(self._connection, self._now)
        hour = {each: hours.get(each, NOTHING) for each in self._newsletters}
        yield _by_newsletter(
            "jawel_breaker_tripped",
            "1 where whoever signs up has to prove work, as the newsletter is attacked.",
            {each: each in tripped for each in self._newsletters},
        )
        for name, counted in (
            ("requests", {each: counts.requests for each, counts in hour.items()}),
            ("confirmations", {each: counts.confirmations for each, counts in hour.items()}),
            ("declines", {each: counts.declines for each, counts in hour.items()}),
        ):
            yield _by_newsletter(f"jawel_breaker_{name}", f"Of the newsletter, {name} in the last hour.", counted)

    def _delivery(self) -> Iterator[Metric]:
        yield _gauge(
            "jawel_letters_failed",
            "Letters given up, or refused for good, that are kept.",
            backlog.failed(self._connection),
        )
        family = GaugeMetricFamily(
            "jawel_allowances_used_up",
            "Allowances that letters wait for, by kind.",
            labels=["kind"],
        )
        waited_for = throttle.used_up(self._connection)
        for kind in throttle.ThrottleKind:
            family.add_metric([kind], waited_for.get(kind, 0))
        yield family

    def _counters(self) -> Iterator[Metric]:
        counted = metrics_counters.read(self._connection, (REFUSED, LINES_DROPPED))
        family = CounterMetricFamily(
            "jawel_refused_requests",
            "Requests turned away for want of a key, a scope or a secret, by kind.",
            labels=["kind"],
        )
        for kind in Refusal:
            family.add_metric([kind], counted[REFUSED].get(kind, 0))
        yield family
        yield CounterMetricFamily(
            "jawel_log_lines_dropped",
            "Lines of logs that could not be written.",
            sum(counted[LINES_DROPPED].values()),
        )

    def _age(self, since: datetime | None) -> float:
        """Seconds since then; 0 if it is still to come, because a postponed letter is not late."""
        return max(0.0, (self._now - since).total_seconds()) if since else 0


def _by_newsletter(name: str, documentation: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["newsletter"])
    for newsletter, value in values.items():
        family.add_metric([newsletter], value)
    return family


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value)


def _unix(instant: datetime | None) -> float:
    return instant.timestamp() if instant else 0

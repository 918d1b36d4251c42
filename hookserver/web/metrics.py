"""How the server is doing: /health, /metrics (Prometheus text), /debug/cache, /api/system.

Nothing is counted here: the numbers are read from the parts of the server when somebody asks. Labels
come from the configuration and from fixed tables only, so that no sender can make new series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from hookserver.services.system import Figure
from hookserver.web.base import BaseHandler


class Metrics:
    """A registry of our own that asks ``figures()`` at each scrape."""

    def __init__(self, figures: Callable[[], Iterable[Figure]]):
        self._figures = figures
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def describe(self) -> list:
        """Nothing in advance: which figures there are is known when they are read."""
        return []

    def collect(self) -> Iterable:
        """All figures as metric families."""
        for figure in self._figures():
            family = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
            metric = family(f"hookserver_{figure.name}", figure.help, labels=figure.labels)
            for labels, value in figure.values.items():
                metric.add_metric(labels, value)
            yield metric

    def text(self) -> bytes:
        """The answer to a scrape."""
        return generate_latest(self._registry)


class MetricsHandler(BaseHandler):
    def get(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.write(self.house.metrics.text())


class Health(BaseHandler):
    """Open to everybody; the admin also learns what is wrong."""

    def get(self) -> None:
        status, body = self.house.system.health()
        if self.is_admin():
            body["warnings"] = self.house.system.warnings()
        self.set_status(status)
        self.send(body)

    head = get


class Cache(BaseHandler):
    def get(self) -> None:
        self.send(self.house.system.cache())


class SystemPage(BaseHandler):
    def get(self) -> None:
        self.send(self.house.system.report())

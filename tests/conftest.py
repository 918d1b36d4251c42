"""What all tests share: a server to talk to, and the rule that a warning in the log must have been asked for."""

from __future__ import annotations

import contextlib
import logging
import re

import pytest
from hypothesis import HealthCheck, settings

# How fast this machine is today is nothing that a property is about.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


class LogWatch(logging.Handler):
    """Keeps each record at WARNING or above that nobody has announced."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.unexpected: list[str] = []
        self._announced: list[tuple[re.Pattern, list[str]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{record.levelname} {record.name}: {record.getMessage()}"
        for pattern, seen in self._announced:
            if pattern.search(line):
                seen.append(line)
                return
        self.unexpected.append(line)

    @contextlib.contextmanager
    def expect(self, pattern: str, *, needed: bool = True):
        """Inside, lines that match are fine, and there must be one if ``needed``. Gives the list of them."""
        seen: list[str] = []
        entry = (re.compile(pattern), seen)
        self._announced.append(entry)
        yield seen
        self._announced.remove(entry)
        assert seen or not needed, f"no log line matched {pattern!r}"

    def allow(self, pattern: str) -> list[str]:
        """To the end of the test, lines that match are fine."""
        seen: list[str] = []
        self._announced.append((re.compile(pattern), seen))
        return seen


def pytest_configure(config):
    config.addinivalue_line("markers", "logs(pattern): log lines at WARNING or above that match are expected")


@pytest.fixture(autouse=True)
def log_watch(request):
    """Fails the test for a log line at WARNING or above that it did not announce.

    Announce with ``log_watch.expect(pattern)`` around the step, or with ``@pytest.mark.logs(pattern)``.
    A test that takes ``caplog`` looks at the log itself.
    """
    watch = LogWatch()
    for marker in request.node.iter_markers("logs"):
        for pattern in marker.args:
            watch.allow(pattern)
    logging.getLogger().addHandler(watch)
    yield watch
    logging.getLogger().removeHandler(watch)
    if "caplog" not in request.fixturenames:
        assert not watch.unexpected, "log lines that the test did not announce:\n" + "\n".join(watch.unexpected)


@pytest.fixture
def serve(tmp_path, log_watch):
    """``serve(port=0, server="…", limits="…", **parts_of_the_app)`` starts a server that is stopped after the test."""
    from tests.running import Running, write_conf  # here, so that tests of the pure rooms need no server

    started = []

    def start(*, port: int = 0, server: str = "", limits: str = "", home=tmp_path, **parts) -> Running:
        running = Running(write_conf(home, port=port, server=server, limits=limits), **parts)
        started.append(running)
        return running

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def app(serve):
    """A running server with the default limits."""
    return serve()


@pytest.fixture
def client(app):
    """A connection without a token: a sender's, or a stranger's."""
    client = app.client()
    yield client
    client.close()


@pytest.fixture
def admin(app):
    """A connection with the admin token."""
    client = app.client(app.token)
    yield client
    client.close()

"""What we are measured against: a Tornado handler that does nothing, and Debian's ``webhook`` that runs a command.

``python -m tests.bench.yardstick [asyncio|uvloop]`` serves the constant and prints its port.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from tests.process import REPOSITORY, until
from tests.wire import Wire, request_bytes


class BareServer:
    """A process whose handler answers every POST with the same 90 bytes."""

    def __init__(self, loop: str = "asyncio"):
        self._process = subprocess.Popen([sys.executable, "-m", "tests.bench.yardstick", loop], cwd=REPOSITORY,
                                         stdout=subprocess.PIPE, text=True)
        self.port, self.pid = int(self._process.stdout.readline()), self._process.pid

    def __enter__(self) -> "BareServer":
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def debian_webhook(home: Path) -> Iterator[int | None]:
    """Port of a running ``webhook`` whose hook runs /bin/true; None where it is not installed."""
    program = shutil.which("webhook")
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    hooks = home / "hooks.json"
    hooks.write_text(json.dumps([{"id": "bench", "execute-command": "/bin/true"}]))
    process = subprocess.Popen([program, "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port), seconds=10, what="webhook answers")
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with Wire(port) as wire:
            return wire.ask(request_bytes("GET", "/"))[0] == 200
    except OSError:
        return False


async def _serve() -> None:
    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets
    from tornado.web import Application, RequestHandler

    class Constant(RequestHandler):
        def post(self) -> None:
            self.set_header("Content-Type", "application/json")
            self.write(b'{"status":"success","message":"Webhook processed","id":"evt_constant_1","duplicate":false}')

        get = post

    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application([(r"/.*", Constant)])).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["uvloop"]:
        import uvloop
        uvloop.run(_serve())
    else:
        asyncio.run(_serve())

"""A stand-in for cloudflared, run as a program of its own: it says, serves and ends as the real one does, without any network.

``placed`` puts it somewhere as an executable. What it does stands in ``behaviour.json`` beside it, read anew when it matters:
``host`` of the quick tunnel · ``end``: exit code, at once, after saying ``say`` · ``limited``: the service says 429 · ``ready``: whether it is connected ·
``metrics``: false = no metrics server · ``quick``: false = a version without /quicktunnel · ``says``: what that names instead · ``json``: lines are JSON objects · ``mute``: there are none ·
``flood``: bytes of chatter on standard error · ``deaf``: SIGTERM is not heard · ``child``: starts another deaf process in a session of its own ·
``edge``: a port at which it takes the requests that Cloudflare would pass on. Each start is a line in ``calls.jsonl``.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

HOME = Path(sys.argv[0]).resolve().parent
BEHAVIOUR = {"host": "lucky-blue-fox.trycloudflare.com", "ready": True, "metrics": True, "quick": True}


def placed(home: Path, **behaviour) -> Path:
    """The executable in ``home``."""
    home.mkdir(parents=True, exist_ok=True)
    program = home / "cloudflared"
    program.write_text(f"#!{sys.executable} -IS\n{Path(__file__).read_text()}")
    program.chmod(0o755)
    behave(home, **behaviour)
    return program


def behave(home: Path, **behaviour) -> None:
    """From now on, and in all at once: half a file is never read."""
    (home / "behaviour.new").write_text(json.dumps(BEHAVIOUR | behaviour))
    (home / "behaviour.new").rename(home / "behaviour.json")


def calls(home: Path) -> list[dict]:
    """``argv``, ``pid`` and ``env`` of each start so far."""
    file = home / "calls.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def behaviour() -> dict:
    return json.loads((HOME / "behaviour.json").read_text())


def say(level: str, message: str, **fields) -> None:
    if behaviour().get("mute"):
        return
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if behaviour().get("json"):
        line = json.dumps({"level": {"INF": "info", "ERR": "error"}[level], "time": at, "message": message} | fields)
    else:
        line = f"{at} {level} {message}" + "".join(f' {name}={json.dumps(value) if " " in str(value) else value}' for name, value in fields.items())
    os.write(2, line.encode() + b"\n")


def answer(connection: socket.socket, status: int, body: str) -> None:
    connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())


def metrics(connection: socket.socket) -> None:
    path, now = connection.recv(4096).split(b" ")[1].decode(), behaviour()
    if path == "/ready":
        status = 200 if now["ready"] else 503
        answer(connection, status, json.dumps({"status": status, "readyConnections": int(now["ready"]), "connectorId": "6d1c3f8a-0000-0000-0000-000000000000"}))
    elif path == "/quicktunnel" and now["quick"]:
        answer(connection, 200, json.dumps({"hostname": "" if "run" in sys.argv else now.get("says", now["host"])}))
    else:
        answer(connection, 404, "404 page not found\n")


def edge(connection: socket.socket, origin: int) -> None:
    """One request from the internet to the origin, and its answer back."""
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    lines = [line for line in lines if not line.lower().startswith((b"connection:", b"cf-connecting-ip:"))]
    try:
        there = socket.create_connection(("127.0.0.1", origin))
    except OSError:
        answer(connection, 502, "error code: 502")
        return
    with there:
        there.sendall(b"\r\n".join([first, *lines, b"Cf-Connecting-Ip: 203.0.113.9", b"X-Forwarded-Proto: https", b"Connection: close"]) + b"\r\n\r\n" + body)
        while piece := there.recv(65536):
            connection.sendall(piece)


def serve(port: int, handle, *more) -> None:
    listener = socket.create_server(("127.0.0.1", port))

    def one(connection: socket.socket) -> None:
        with connection:
            handle(connection, *more)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def ended(*_) -> None:
    say("INF", "Initiating graceful shutdown due to signal terminated ...")
    say("INF", "Tunnel server stopped")
    say("INF", "Metrics server stopped")
    os._exit(0)


def opened(now: dict, words: list[str]) -> int:
    """Ask for the tunnel; the origin's port, or the end."""
    if "run" in words:
        return 0
    say("INF", "Requesting new quick Tunnel on trycloudflare.com...")
    if now.get("limited"):
        say("ERR", "Error unmarshaling QuickTunnel response: error code: 1015", error="invalid character 'e' looking for beginning of value",
            status_code="429 Too Many Requests")
        os.write(2, b"failed to unmarshal quick Tunnel: invalid character 'e' looking for beginning of value\n")
        sys.exit(1)
    url = f"https://{now['host']}"
    for row in ("+" + "-" * 93 + "+", "|  Your quick Tunnel has been created! Visit it at (it may take some time to be reachable):  |",
                f"|  {url:<89}  |", "+" + "-" * 93 + "+"):
        say("INF", row)
    return int(words[words.index("--url") + 1].rpartition(":")[2])


def main() -> None:
    words, now = sys.argv[1:], behaviour()
    if words == ["--version"]:
        print("stand-in 2026.8.0 (built today)")
        return
    with open(HOME / "calls.jsonl", "a") as file:
        file.write(json.dumps({"argv": words, "pid": os.getpid(), "env": dict(os.environ)}) + "\n")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if now.get("deaf") else ended)
    if now.get("child") and os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.setsid()
        time.sleep(600)
    if "end" in now:
        say("ERR", now.get("say", "Couldn't start tunnel"), error="it was told to")
        sys.exit(now["end"])
    origin = opened(now, words)
    if now["metrics"]:
        serve(int(words[words.index("--metrics") + 1].rpartition(":")[2]), metrics)
    if "edge" in now:
        serve(now["edge"], edge, origin or now["origin"])
    if now["ready"]:
        say("INF", "Registered tunnel connection", connIndex=0, connection="1f5c", event=0, ip="198.41.192.7", location="ams01", protocol="quic")
    chatter = b"2026-01-02T03:04:05Z DBG nothing to look at " + b"x" * 75 + b"\n"
    for _ in range(now.get("flood", 0) // len(chatter) // 100):
        os.write(2, chatter * 100)
    if "flood" in now:
        (HOME / "flooded").touch()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()

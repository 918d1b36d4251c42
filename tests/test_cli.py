"""The command line as its user sees it: a process, its output and its exit code."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from hookserver import __version__, config
from hookserver.cli.progress import Progress, draw_bar, spell
from tests.process import ServerProcess, until, write_conf

SECRET = "a-secret-for-the-command-line"


def heed_interrupts() -> None:
    """In a child: a shell that runs the tests in the background lets them, and us, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all tests of this file, with some events and rejections in it."""
    home = tmp_path_factory.mktemp("cli")
    write_conf(home, secret=SECRET)
    running = ServerProcess(home).start()
    for words in (("--count", "90"), ("--count", "3", "--bad-signature")):
        assert send(running, *words).returncode == 0
    yield running
    assert running.stop() == 0


@pytest.fixture
def nowhere(tmp_path):
    """A home without a server."""
    return ServerProcess(tmp_path)


def send(server: ServerProcess, *words: str) -> subprocess.CompletedProcess:
    return server.run("send", "calls", "--url", f"http://127.0.0.1:{server.port}", *words)


def bare(*words: str, cwd: Path, env: dict | None = None) -> subprocess.CompletedProcess:
    """The command line with nothing added to it."""
    command = [sys.executable, "-m", "hookserver", *words]
    return subprocess.run(command, cwd=cwd, env=env or ServerProcess(cwd).env, capture_output=True, text=True, timeout=60)


def log_lines(data: Path) -> list[bytes]:
    return b"".join(path.read_bytes() for path in sorted((data / "log").glob("*.jsonl"))).splitlines(keepends=True)


# -- serve ------------------------------------------------------------------------------------------

def test_serve_says_where_everything_is(server):
    said = server.output()
    assert f"http://127.0.0.1:{server.port}/#token={server.token}" in said
    assert f"http://127.0.0.1:{server.port}/drill/webhooks" in said
    assert str(server.data) in said and "hookserver send calls" in said
    assert (server.data / "admin.token").read_text().strip() == server.token


def test_a_second_server_on_the_same_directory_ends_with_one_line(server):
    before = log_lines(server.data)
    done = server.run("serve")
    assert done.returncode == 74 and "in use by another process" in done.stderr.splitlines()[-1]
    assert log_lines(server.data) == before


# -- send -------------------------------------------------------------------------------------------

def test_send_sums_up_and_its_events_are_stored(server):
    before = len(log_lines(server.data))
    done = send(server, "--count", "30", "--channels", "2", "--concurrency", "2")
    assert done.returncode == 0, done.stderr
    assert "200: 30" in done.stdout and "p99" in done.stdout and "30 of 30 events" in done.stderr
    assert len(log_lines(server.data)) == before + 30


def test_send_with_a_rate_is_stamped_with_the_present(server):
    assert send(server, "--count", "4", "--rate", "50/s").returncode == 0
    record = json.loads(log_lines(server.data)[-1])
    assert abs(record["payload"]["notifyMs"] / 1000 - (server.data / "log").stat().st_mtime) < 3600


def test_send_with_a_bad_signature_expects_401(server):
    before = len(log_lines(server.data))
    done = send(server, "--count", "2", "--bad-signature")
    assert (done.returncode, "401: 2" in done.stdout) == (0, True)
    assert len(log_lines(server.data)) == before


def test_send_without_a_server_says_what_to_do(server):
    done = server.run("send", "calls", "--url", "http://127.0.0.1:9")
    assert done.returncode == 74 and "no server answers at http://127.0.0.1:9" in done.stderr and "hookserver serve" in done.stderr


# -- tail and explain -------------------------------------------------------------------------------

def test_tail_shows_people_lines_and_pipes_bytes(server):
    human = server.run("tail", "-n", "3").stdout.splitlines()
    assert len(human) == 3 and all(" calls  " in line for line in human)
    piped = subprocess.run(server.command("tail", "-n", "5", "--json"), env=server.env, stdout=subprocess.PIPE, check=True)
    assert piped.stdout.splitlines(keepends=True) == log_lines(server.data)[-5:]


def test_tail_narrows(server):
    joined = [line for line in log_lines(server.data) if b'"type":"rtc.audience_joined"' in line]
    done = server.run("tail", "-n", "1000", "--json", "--type", "rtc.audience_joined", "--source", "calls")
    assert done.stdout.encode().splitlines(keepends=True) == joined
    assert server.run("tail", "--source", "other").stdout == ""


def test_tail_follows_across_rotation(server):
    segments = len(list((server.data / "log").glob("*.jsonl")))
    start = len(log_lines(server.data))
    with open(server.home / "followed", "wb") as followed:
        tail = subprocess.Popen(server.command("tail", "-f", "-n", "2", "--json"), env=server.env, stdout=followed,
                                preexec_fn=heed_interrupts)
    try:
        seen = server.home / "followed"
        until(lambda: seen.read_bytes().count(b"\n") == 2, seconds=10, what="the last two lines")
        assert send(server, "--count", "150").returncode == 0
        assert len(list((server.data / "log").glob("*.jsonl"))) > segments
        wanted = log_lines(server.data)[start - 2:]
        until(lambda: seen.read_bytes().splitlines(keepends=True) == wanted, seconds=10, what="what was sent")
    finally:
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == 130


def test_output_ends_quietly_when_its_reader_leaves(server):
    command = " ".join(server.command("tail", "-n", "1000")) + " | head -n 1"
    done = subprocess.run(command, shell=True, env=server.env, capture_output=True, text=True)
    assert done.stdout.count("\n") == 1 and done.stderr == ""


@pytest.mark.parametrize("redirection, code, said", [("> /dev/full", 74, "hookserver: No space left on device\n"),
                                                     (">&-", 0, "")])
def test_output_that_cannot_be_written(server, redirection, code, said):
    done = subprocess.run(" ".join(server.command("tail")) + redirection, shell=True, env=server.env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, said)


def test_explain_tells_of_an_event_and_where_it_is(server):
    wanted = log_lines(server.data)[40]
    record = json.loads(wanted)
    for name in (record["id"], str(record["seq"])):
        done = server.run("explain", name)
        assert done.returncode == 0 and record["id"] in done.stdout
    assert "Agora-Signature-V2 matches secret 1 of 1" in done.stdout and record["type"] in done.stdout
    command = re.search(r"see it +(.*) \| jq", done.stdout)[1]
    assert subprocess.run(command, shell=True, capture_output=True).stdout == wanted


def test_explain_tells_of_a_rejection_and_what_to_do(server):
    kept = until(lambda: b"".join(path.read_bytes() for path in (server.data / "rejected").glob("*.jsonl")),
                 seconds=10, what="a rejection on disk")
    refused = json.loads(kept.splitlines()[0])
    done = server.run("explain", refused["id"])
    assert done.returncode == 0
    assert re.search(r"rate +passed", done.stdout) and re.search(r"JSON +not reached", done.stdout)
    assert re.search(r"signature +FAILED: ", done.stdout) and "Compare the secret" in done.stdout
    assert re.search(r"told +Agora-Signature-V2 matches no secret \(1 tried\)\.", done.stdout)


def test_explain_of_nothing(server):
    for name in ("evt_other0_1", "rej_other0_1", "999999", "nonsense"):
        done = server.run("explain", name)
        assert done.returncode == 1 and name in done.stderr and not done.stdout


# -- verify and rebuild -----------------------------------------------------------------------------

def test_verify_beside_a_running_server(server):
    done = server.run("verify")
    assert done.returncode == 0 and "all is as it must be" in done.stdout, done.stdout


def test_rebuild_check_beside_a_running_server(server):
    done = server.run("rebuild", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rebuild_needs_the_directory_to_itself(server):
    done = server.run("rebuild")
    assert done.returncode == 74 and "in use by another process" in done.stderr


def test_verify_names_the_place_of_damage(server, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(server.data, copy)
    segment = sorted((copy / "log").glob("*.jsonl"))[0]
    lines = segment.read_bytes().splitlines(keepends=True)
    offset, seq = len(b"".join(lines[:10])), json.loads(lines[10])["seq"]
    with open(segment, "r+b") as file:
        file.seek(offset + 100)
        file.write(b"!")
    done = bare("verify", "--data", str(copy), cwd=tmp_path)
    assert done.returncode == 1
    assert f"{segment}: offset {offset}, seq {seq} to " in done.stdout and "CRC does not match" in done.stdout


# -- check ------------------------------------------------------------------------------------------

def test_check_explains_without_telling_secrets(server):
    done = server.run("check")
    assert done.returncode == 0 and "/drill/webhooks" in done.stdout and str(server.data) in done.stdout
    assert "plain text" in done.stdout and SECRET not in done.stdout + done.stderr


def test_sample_is_a_configuration_that_works(tmp_path):
    done = bare("check", "--sample", cwd=tmp_path)
    (tmp_path / "conf.yaml").write_text(done.stdout)
    assert config.load(tmp_path / "conf.yaml").sources
    assert bare("check", cwd=tmp_path).returncode == 0


def test_check_names_file_line_and_key(nowhere):
    (nowhere.home / "conf.yaml").write_text("server:\n  prot: 8080\n")
    done = nowhere.run("check")
    assert done.returncode == 78
    assert f"{nowhere.home / 'conf.yaml'}:2: server.prot" in done.stderr and "port" in done.stderr


# -- errors -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, code, text", [
    (("serve",), 78, "hookserver check --sample > conf.yaml"),
    (("check", "-c", "other.yaml"), 78, "other.yaml"),
    (("tail", "--data", "not-there"), 1, "holds no log"),
    (("verify", "--data", "not-there"), 1, "holds no log"),
    ((), 2, "COMMAND"),
    (("sevre",), 2, "sevre"),
    (("send",), 2, "source"),
    (("serve", "--port", "70000"), 2, "between 0 and 65535"),
])
def test_every_error_is_one_line_that_helps(tmp_path, words, code, text):
    done = bare(*words, cwd=tmp_path)
    assert done.returncode == code and text in done.stderr
    assert "Traceback" not in done.stderr
    assert code == 2 or done.stderr.count("\n") == 1


def test_words_that_do_not_fit_the_configuration(server):
    for words, text in ((("send", "cals"), "it has: calls"), (("send", "calls", "--app", "x"), "it has: drill"),
                        (("send", "calls"), "server.port is 0")):
        done = server.run(*words)
        assert done.returncode == 2 and text in done.stderr


def test_options_stand_before_or_after_the_command(server, tmp_path):
    done = bare("--data", str(server.data), "tail", "-n", "1", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.count("\n") == 1


def test_version(tmp_path):
    assert bare("--version", cwd=tmp_path).stdout == f"hookserver {__version__}\n"


# -- demo -------------------------------------------------------------------------------------------

def test_demo_lives_and_cleans_up(tmp_path):
    env = {**ServerProcess(tmp_path).env, "TMPDIR": str(tmp_path)}
    with open(tmp_path / "said", "wb") as said:
        demo = subprocess.Popen([sys.executable, "-m", "hookserver", "demo", "--rate", "50"], env=env, cwd=tmp_path,
                                stdout=said, stderr=said)
    try:
        url = until(lambda: re.search(r"(http://\S+)/#token=(\S+)", (tmp_path / "said").read_text()), seconds=20, what="an address")

        def get(path: str) -> dict:
            request = urllib.request.Request(f"{url[1]}/api/{path}", headers={"Authorization": f"Bearer {url[2]}"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)

        def lively() -> bool:
            overview = get("overview")
            return (overview["store"]["last_seq"] > 900 and overview["rejections"]["last_hour"] > 5
                    and all(source["total"] for source in overview["sources"]) and get("rejections?cause=unmatched")["rejections"]
                    and any(asset["name"] for asset in get("assets")["assets"])
                    and {"analyzed", "no_results", "failed"} <= {song["status"] for song in get("songs")["songs"]}
                    and any(one["name"] == "team" and one["last_day"]["done"] for one in get("destinations")["destinations"]))
        until(lively, seconds=40, what="life on every page")
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(15) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["said"]


# -- progress ---------------------------------------------------------------------------------------

class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_draws_a_bar_on_a_terminal():
    clock = iter([0.0, 0.0, 5.0, 5.0, 5.0, 10.0, 10.0, 10.0, 10.0])
    stream = Terminal()
    with Progress("verify", "records", 200, stream=stream, clock=lambda: next(clock)) as bar:
        bar.update(10)
        bar.update(100)
    drawn = stream.getvalue().split("\r\x1b[K")
    assert "50%  100 of 200 records  20/s  5.0 s left" in drawn[1] and "█" in drawn[1]
    assert drawn[-1].endswith("\n")


def test_progress_writes_plain_lines_elsewhere():
    now = 0.0
    stream = io.StringIO()
    with Progress("verify", "records", stream=stream, clock=lambda: now) as bar:
        for second in range(1, 12):
            now = float(second)
            bar.update(second * 10, 200)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3 and lines[0] == "verify  25%  50 of 200 records  10/s  15 s left"
    assert lines[-1] == "verify  55%  110 of 200 records  10/s  in 11 s"


def test_progress_speaks_of_time_as_people_do():
    assert [spell(seconds) for seconds in (0.04, 9.94, 59.4, 61, 3661)] == ["0.0 s", "9.9 s", "59 s", "1 min 01 s", "1 h 01 min"]
    assert [draw_bar(share, 4) for share in (0, 0.5, 1)] == ["░░░░", "██░░", "████"]

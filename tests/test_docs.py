"""The documents say what the program does: keys, commands, codes, paths and recipes are compared with it."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hookserver import __version__, config
from hookserver.cli.words import build_parser
from hookserver.errors import CODES
from hookserver.providers.presets import PRESETS
from hookserver.web.base import Access
from hookserver.web.routes import TABLE
from tests.process import ServerProcess, write_conf

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


#: A public key on P-256 as SendGrid shows it; nobody has the private one any more.
VERIFICATION_KEY = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+pZwXaVbz8zSk4uzqcBu0s5gorpv9I8Ldn5ltHO+wV6tLTmwCWu1gkMFh3ssZHo07iOVI43/eTMW4JMpVzU2IA=="


def section(title: str) -> str:
    """The text under one heading, up to the next heading of the same or a higher level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no heading {title!r}"
    return found[2]


def blocks(kind: str) -> list[str]:
    """The fenced blocks whose info string is ``kind``."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_page_comes_to_the_point():
    """What it is, one command, and a look at what is stored, before anything is explained."""
    first = README.split("\n## ")[0]
    assert len(first.splitlines()) <= 30
    assert "hookserver serve" in first and "hookserver send calls" in first and "| jq" in first and "#token=" in first


def test_configuration_table_is_the_one_the_reader_uses():
    rows = [f"| `{key}` | {kind} | { {'': '–', 'required': 'required'}.get(default, f'`{default}`')} | {meaning} |"
            for key, kind, default, meaning in config.describe()]
    table = [line for line in section("Configuration").splitlines() if line.startswith("| `")]
    assert table == rows


def preset_facts(preset) -> str:
    """The end of a preset's row: the time that it allows, where type and identity stand."""
    stamp = getattr(preset.scheme, "stamp", None)
    units = ((3600, "h"), (60, "min"), (1, "s"))
    time = "–" if stamp is None or stamp.past is None else next(f"{stamp.past / size:g} {unit}" for size, unit in units if stamp.past >= size)
    return " | ".join([time, *(", ".join(f"`{field}`" for field in fields) or "–" for fields in (preset.event_type, preset.key))]) + " |"


def test_the_table_of_presets_is_theirs(tmp_path):
    [example] = re.findall(r"^```yaml\n(.*?)^```$", section("Senders that are known by name"), re.MULTILINE | re.DOTALL)
    (tmp_path / "conf.yaml").write_text(example.replace("file:sendgrid.pem", VERIFICATION_KEY))
    got = config.load(tmp_path / "conf.yaml", env=dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "0123456789"))
    assert len(got.sources) == 4 and not any("sources" in warning for warning in got.warnings)
    rows = {row.split("|")[1].strip(" `"): row for row in section("Senders that are known by name").splitlines() if row.startswith("| `")}
    assert [*rows] == [*PRESETS]
    for name, row in rows.items():
        assert row.endswith(f"| {preset_facts(PRESETS[name])}"), name


def test_the_example_of_sending_on_is_a_configuration_that_works(tmp_path):
    [example] = re.findall(r"^```yaml\n(.*?)^```$", section("Other senders, and sending on"), re.MULTILINE | re.DOTALL)
    file = tmp_path / "conf.yaml"
    file.write_text(example.replace("/usr/local/bin/deploy", "/bin/true"))
    file.chmod(0o600)
    names = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "0123456789")
    got = config.load(file, env=names | {"CI_SECRET": "whsec_" + "A" * 32, "SLACK_URL": "https://hooks.example.com/x"})
    assert len(got.routes) == 2 and not got.warnings


def test_the_example_of_what_a_source_takes_is_a_configuration_that_works(tmp_path):
    [example] = re.findall(r"^```yaml\n(.*?)^```$", section("What a source takes, and how it answers"), re.MULTILINE | re.DOTALL)
    (tmp_path / "gateway.ips").write_text("192.0.2.0/24 # as published\n")
    file = tmp_path / "conf.yaml"
    file.write_text(example)
    file.chmod(0o600)
    got = config.load(file, env={"SHOP_SECRET": "0123456789", "GATEWAY_TOKEN": "0123456789"})
    assert len(got.sources["gateway"].terms.allow_ips.networks) == 2 and not got.warnings


def subparsers() -> dict[str, argparse.ArgumentParser]:
    actions = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return actions[0].choices


def options_of(parser: argparse.ArgumentParser) -> list[list[str]]:
    """The spellings of each option, those of a command's own commands included."""
    found = [list(action.option_strings) for action in parser._actions if action.option_strings]
    inner = [one for action in parser._actions if isinstance(action, argparse._SubParsersAction) for one in action.choices.values()]
    return found + [option for one in inner for option in options_of(one)]


def test_command_table_names_every_command_and_option():
    rows = {row.split("|")[1].strip(" `").split()[0]: row for row in section("Commands").splitlines()
            if row.startswith("| `")}
    assert rows.keys() == subparsers().keys()
    for name, parser in subparsers().items():
        options = {option for options in options_of(parser) for option in options}
        known = options - {"-h", "--help", "-c", "--conf", "--data"}
        named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rows[name].split("|")[1]))
        assert named <= known, f"{name}: the README has {named - known}"
        missing = [option for option in options_of(parser) if set(option) & known and not set(option) & named]
        assert not missing, f"{name}: the README lacks {missing}"


def test_every_command_teaches_with_an_example():
    for name, parser in subparsers().items():
        assert f"hookserver {name}" in (parser.epilog or ""), name


def test_status_table_has_every_status_of_the_error_codes():
    rows = re.findall(r"^\| ([\d, ]+) \|", section("Status codes for senders"), re.MULTILINE)
    listed = {int(status) for row in rows for status in row.split(",")}
    rare = {417}    # of clients that no sender is
    assert listed == {status for status, _ in CODES.values()} - rare | {200}


def test_http_table_is_the_route_table():
    """Each route is in the README with its access. ``{…}`` in one stands for a group in the other."""
    named = {}
    for row in re.findall(r"^\| (`.*?) \| (\w+) \|", section("HTTP"), re.MULTILINE):
        for path in re.findall(r"`(?:[A-Z,]+ )?(/[^`]*)`", row[0]):
            named[re.sub(r"\{\w+\}", "{}", path)] = {"public": Access.PUBLIC, "signed": Access.SIGNED, "token": Access.ADMIN}[row[1]]
    routes = {re.sub(r"\([^)]*\)", "{}", row.pattern): row.access for row in TABLE if not row.pattern.startswith("/static/")}
    # these are no rows; they are signed, or say verify: none
    hooks = dict.fromkeys(("/{}/webhooks", "/hooks/{}", "/frameio-webhook", "/acrcloud/webhook/file-scanning/{}",
                           "/api/v1/generate-descriptions"), Access.SIGNED)
    assert named == routes | hooks


def test_continuous_integration_runs_the_readmes_test_command():
    [command] = [block.strip() for block in blocks("sh") if "pytest" in block]
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == command


def test_dependencies_are_all_explained():
    declared = re.findall(r"^    ([a-z-]+)[>=]", (ROOT / "setup.cfg").read_text().split("[options.extras_require]")[0],
                          re.MULTILINE)
    table = section("Dependencies")
    assert declared and all(f"| {name}" in table for name in declared)


def test_changelog_has_this_version():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", "hookserver/ARCHITECTURE.md", "hookserver/store/FORMAT.md"])
def test_links_lead_somewhere(document):
    path = ROOT / document
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{document} links to {target}"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A directory with data/ as a first day leaves it."""
    home = tmp_path_factory.mktemp("docs")
    write_conf(home, secret="a-secret-for-the-documents")
    server = ServerProcess(home).start()
    sent = server.run("send", "calls", "--count", "120", "--url", f"http://127.0.0.1:{server.port}")
    assert (sent.returncode, server.stop()) == (0, 0)
    return home


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed, and the recipes are about it")
@pytest.mark.parametrize("recipe", blocks("sh recipe") + ["tail -qn1 data/log/*.jsonl | jq"])
def test_recipes_for_the_log_work(home, recipe):
    assert recipe.strip() in README
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", recipe], cwd=home, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_architecture_names_files_that_are_there_and_every_room():
    text = (ROOT / "hookserver" / "ARCHITECTURE.md").read_text()
    for name in re.findall(r"`([\w/]+\.py)`", text):
        bases = (ROOT, ROOT / "hookserver", *(path for path in (ROOT / "hookserver").iterdir() if path.is_dir()))
        assert any((base / name).is_file() for base in bases), name
    table = text.split("## Rooms")[1].split("## ")[0]
    for path in (ROOT / "hookserver").iterdir():
        if path.name not in ("__init__.py", "__main__.py", "__pycache__") and (path.is_dir() or path.suffix == ".py"):
            assert f"| `{path.name}" in table, path.name


def test_nginx_lets_through_what_the_server_takes():
    [block] = blocks("nginx")
    default = next(default for key, _, default, _ in config.describe() if key == "limits.body")
    assert f"client_max_body_size {default.removesuffix('iB').lower()};" in block

"""conf.yaml: what is taken, what is refused, and that each refusal names the place and no secret."""

import ipaddress
import json
import os
import stat

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookserver import config
from hookserver.config import masked
from hookserver.errors import ConfigError

GOOD = """\
sources:
  calls:
    type: agora
    apps:
      demo: {secrets: ["0123456789abcdef"]}
"""


def write(folder, text, name="conf.yaml"):
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def load(folder, text, **kwargs):
    kwargs.setdefault("env", {})
    return config.load(write(folder, text), **kwargs)


def failure(folder, text, **kwargs) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **kwargs)
    return caught.value


def test_defaults(tmp_path):
    got = load(tmp_path, GOOD)
    assert (got.server.host, got.server.port, got.server.site_url, got.server.tls) == ("127.0.0.1", 8080, None, None)
    assert got.data == tmp_path / "data"
    assert got.store.segment_size == 64 << 20 and got.store.retention is None and got.store.max_size is None
    assert got.limits.body == 2 << 20 and got.limits.rate == config.Rate(200, 1)
    assert got.limits.header_timeout == 15 and got.limits.body_timeout == 15
    source = got.sources["calls"]
    assert source.dedup_window == 7 * 86400 and source.body is None and source.rate is None
    assert source.apps["demo"].secrets == (b"0123456789abcdef",)
    assert got.warnings == ()


def test_everything_said(tmp_path):
    write(tmp_path, "cert", "c.pem")
    got = load(tmp_path, """
server: {host: "::1", port: 0, site_url: "https://h.example.com/", trusted_proxies: [127.0.0.1, "::1", 10.0.0.0/8],
         tls: {cert: c.pem, key: c.pem}}
store: {dir: /srv/hooks, segment_size: 1.5MiB, retention: 90d, max_size: 20GB, min_free: 0B}
limits: {body: 512KiB, rate: 60/m, header_timeout: 500ms, body_timeout: 1h, connections: 5}
sources:
  a: {type: agora, dedup: {window: 2w}, limits: {body: 1MB, rate: 10/h}, apps: {x: {verify: none}}}
""")
    assert got.server.site_url == "https://h.example.com"
    assert got.server.trusted_proxies[2] == ipaddress.ip_network("10.0.0.0/8")
    assert got.server.tls.cert == tmp_path / "c.pem"
    assert str(got.data) == "/srv/hooks" == str(got.store.dir)
    assert (got.store.segment_size, got.store.retention, got.store.max_size) == (3 << 19, 90 * 86400, 20 * 10**9)
    assert got.store.min_free == 0
    assert (got.limits.rate, got.limits.header_timeout) == (config.Rate(60, 60), 0.5)
    assert (got.sources["a"].body, got.sources["a"].rate) == (10**6, config.Rate(10, 3600))
    assert any("unsigned" in warning for warning in got.warnings)


def test_data_directory_overrides(tmp_path):
    got = load(tmp_path, GOOD + "store: {dir: elsewhere}\n", data=tmp_path / "mine")
    assert got.data == tmp_path / "mine" and got.store.dir == tmp_path / "elsewhere"


def app(secret: str) -> str:
    return f"sources: {{s: {{type: agora, apps: {{a: {{secrets: [{secret}]}}}}}}}}\n"


SECRET = "canary-secret-value"

BAD = [
    # (text, line, key, part of the message)
    ("", None, "", "is empty"),
    ("# only a comment\n", None, "", "is empty"),
    ("- a\n- b\n", 1, "", "mapping"),
    ("just text", 1, "", "mapping"),
    ("server:\n\tport: 1\n", 2, "", "tab"),
    ("server: {port: 1}\n---\nserver: {}\n", 2, "", "several documents"),
    ("server: {port: 1\n", 1, "", "bracket is opened here"),
    ("server:\n  host: 'a\nstore: {}\n", 2, "", "quote is opened here"),
    ("server:\n  host: a: b\n", 2, "", "text with a colon needs quotes"),
    ("server:\n  host: a\n port: 1\n", 3, "", "indentation"),
    ("server:\n  hello\n  port: 1\n", 3, "", "colon"),
    (": x\n", 1, "", "key is missing"),
    ("server: &x {port: 1}\n", 1, "", "anchors"),
    ("server: {port: 1}\nstore: *x\n", 2, "", "aliases"),
    ("server: !!python/object/apply:os.system [id]\n", 1, "", "tags"),
    ("server: {port: !!int 1}\n", 1, "", "tags"),
    ("server: {port: ! 1}\n", 1, "", "tags"),
    ("server:\n  port: 1\n  port: 2\n", 3, "server.port", "line 2"),
    ("server: {}\nserver: {}\n", 2, "server", "written twice"),
    ("server:\n  prot: 1\n", 2, "server.prot", "did you mean port?"),
    ("sevrer: {}\n", 1, "sevrer", "did you mean server?"),
    ("zzzz: {}\n", 1, "zzzz", "known here: server, store"),
    ("? [a]\n: b\n", 1, "", "plain text"),
    ("<<: {a: b}\n", 1, "", "merge"),
    ("no: 1\n", 1, "", "true or false"),
    ("server: {host: no}\n", 1, "server.host", 'put it in quotes: "no"'),
    ("server: {host: 12:30:45}\n", 1, "server.host", "base 60"),
    ("server: {host: 10.1}\n", 1, "server.host", "a number"),
    ("server: {host: 2026-01-01}\n", 1, "server.host", "a date"),
    ("server: {host: }\n", 1, "server.host", "no value"),
    ("server: {host: ''}\n", 1, "server.host", "is empty"),
    ("server: {host: [a]}\n", 1, "server.host", "single value"),
    ("server:\n", 1, "server", "no value"),
    ("server: 5\n", 1, "server", "mapping"),
    ("server: {port: http}\n", 1, "server.port", "whole number"),
    ("server: {port: '8080'}\n", 1, "server.port", "whole number"),
    ("server: {port: 0x50}\n", 1, "server.port", "whole number"),
    ("server: {port: 010}\n", 1, "server.port", "whole number"),
    ("server: {port: 1_000}\n", 1, "server.port", "whole number"),
    ("server: {port: 1:20}\n", 1, "server.port", "whole number"),
    ("server: {port: 70000}\n", 1, "server.port", "between 0 and 65535"),
    ("server: {port: true}\n", 1, "server.port", "whole number"),
    ("server: {site_url: example.com}\n", 1, "server.site_url", "https://"),
    ("server: {site_url: 'https://u:p@example.com'}\n", 1, "server.site_url", "https://"),
    ("server: {site_url: 'https://example.com:x'}\n", 1, "server.site_url", "https://"),
    ("server: {site_url: 'https://[::1'}\n", 1, "server.site_url", "https://"),
    ("server: {trusted_proxies: 127.0.0.1}\n", 1, "server.trusted_proxies", "list"),
    ("server: {trusted_proxies: [127.0.0.1/8]}\n", 1, "server.trusted_proxies[0]", "host bits"),
    ("server: {trusted_proxies: [10]}\n", 1, "server.trusted_proxies[0]", "quotes"),
    ("server: {tls: {cert: nowhere.pem, key: k}}\n", 1, "server.tls.cert", "there is no file"),
    ("server:\n  tls:\n    cert: conf.yaml\n", 3, "server.tls.key", "missing"),
    ("limits: {body_timeout: 30}\n", 1, "limits.body_timeout", "no unit (write 30s"),
    ("limits: {body_timeout: 12:30:45}\n", 1, "limits.body_timeout", "base 60"),
    ("limits: {body_timeout: 30 parsecs}\n", 1, "limits.body_timeout", "not a duration"),
    ("limits: {body_timeout: 0s}\n", 1, "limits.body_timeout", "too short"),
    ("limits: {body: 1000}\n", 1, "limits.body", "no unit"),
    ("limits: {body: 2mib}\n", 1, "limits.body", "not a size"),
    ("limits: {body: 10B}\n", 1, "limits.body", "too small"),
    ("limits: {rate: 200}\n", 1, "limits.rate", "not a rate"),
    ("limits: {rate: 0/s}\n", 1, "limits.rate", "not a rate"),
    ("store: {max_size: 100MiB}\n", 1, "store.max_size", "twice"),
    ("store: {dir: ~/data}\n", 1, "store.dir", "whole path"),
    ('store: {dir: "a\\0b"}\n', 1, "store.dir", "path"),
    ("sources: {S: {type: agora}}\n", 1, "sources.S", "lower-case"),
    ("sources: {s: {}}\n", 1, "sources.s.type", "missing"),
    ("sources: {s: {type: agora}}\n", 1, "sources.s.apps", "missing"),
    ("sources: {s: {type: agora, apps: {}}}\n", 1, "sources.s.apps", "names no app"),
    ("sources: {s: {type: agroa, apps: {}}}\n", 1, "sources.s.type", "must be one of agora"),
    ("sources:\n  s:\n    type: acrcloud\n    callback_token: short\n", 4, "sources.s.callback_token", "16 to 200 letters"),
    ("sources:\n  s:\n    type: acrcloud\n    callback_token: 0123456789abcdef-x\n    token: 12345678x\n", 3, "sources.s.container", "needs both"),
    ("sources:\n  s:\n    type: acrcloud\n    mock: yes\n    callback_token: 0123456789abcdef-x\n", 4, "sources.s.mock", "true or false"),
    ("sources: {s: {type: agora, reject_status: 403, apps: {a: {verify: none}}}}\n", 1, "sources.s.reject_status",
     "belongs to type generic"),
    ("sources: {s: {type: generic, schema: a.json, verify: none}}\n", 1, "sources.s.schema", "there is no file"),
    ("feeds: []\n", 1, "feeds", "this version does not have feeds"),
    ("sources: {s: {type: agora, apps: {a/b: {verify: none}}}}\n", 1, "sources.s.apps.a/b", "letters"),
    ("sources: {s: {type: agora, apps: {12345: {verify: none}}}}\n", 1, "sources.s.apps", "quotes"),
    ("sources: {s: {type: agora, apps: {a: {}}}}\n", 1, "sources.s.apps.a", "no secrets"),
    ("sources: {s: {type: agora, apps: {a: {secrets: []}}}}\n", 1, "sources.s.apps.a.secrets", "no secret"),
    ("sources: {s: {type: agora, apps: {a: {verify: nine}}}}\n", 1, "sources.s.apps.a.verify", "signature, none"),
    ("sources:\n  s: {type: agora, apps: {a: {verify: none}}}\n  t: {type: agora, apps: {a: {verify: none}}}\n",
     3, "sources.t.apps.a", "belongs to source s"),
    (app('""'), 1, "sources.s.apps.a.secrets[0]", "empty"),
    (app('"${UNSET}"'), 1, "sources.s.apps.a.secrets[0]", "UNSET is not set"),
    (app('"${EMPTY}"'), 1, "sources.s.apps.a.secrets[0]", "empty"),
    (app('"${1X}"'), 1, "sources.s.apps.a.secrets[0]", "not ${NAME}"),
    (app('"${OPEN"'), 1, "sources.s.apps.a.secrets[0]", "not ${NAME}"),
    (app("12345678"), 1, "sources.s.apps.a.secrets[0]", "put it in quotes"),
    (app('"file:nowhere"'), 1, "sources.s.apps.a.secrets[0]", "cannot be read"),
    (app('"file:a\\0b"'), 1, "sources.s.apps.a.secrets[0]", "cannot be read"),
    (app('"credential:x"'), 1, "sources.s.apps.a.secrets[0]", "CREDENTIALS_DIRECTORY"),
    (app('"generate:../x"'), 1, "sources.s.apps.a.secrets[0]", "plain name"),
    (f"sources: {{s: {{type: agora, apps: {{a: {{secrets: {SECRET}}}}}}}}}\n", 1, "sources.s.apps.a.secrets", "list"),
    (f"sources: {{s: {{type: agora, apps: {{a: {{secrets: [[{SECRET}]]}}}}}}}}\n", 1,
     "sources.s.apps.a.secrets[0]", "single value"),
    (f"server: {{port: '{SECRET}\n", 1, "", ""),
    ("server: {port: '${CANARY}'}\n", 1, "server.port", "the value is not a whole number"),
    ("server: {trusted_proxies: ['${CANARY}']}\n", 1, "server.trusted_proxies[0]", "not an address"),
    ("limits: {rate: '${CANARY}'}\n", 1, "limits.rate", "not a rate"),
    ("a: " + "[" * 30 + "\n", 1, "", "levels deep"),
    ("a: \x01\n", 1, "", "does not allow"),
]


@pytest.mark.parametrize("text,line,key,part", BAD, ids=range(len(BAD)))
def test_refusals_name_the_place(tmp_path, text, line, key, part):
    error = failure(tmp_path, text, env={"EMPTY": "", "CANARY": SECRET})
    assert error.file == str(tmp_path / "conf.yaml")
    assert part in str(error)
    assert error.key == key
    if line is not None:
        assert error.line == line
    assert SECRET not in str(error)


def test_not_utf8_and_unreadable(tmp_path):
    file = tmp_path / "conf.yaml"
    file.write_bytes(b"server:\n  host: \xff\n")
    with pytest.raises(ConfigError, match=r"conf\.yaml:2: is not UTF-8"):
        config.load(file, env={})
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "absent.yaml", env={})
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path, env={})


def test_references(tmp_path):
    write(tmp_path, "from-a-file\n", "s.txt")
    credentials = tmp_path / "cred"
    write(credentials, "from-a-credential\r\n", "agora")
    got = load(tmp_path, """
server: {host: "${HOST:-::1}", port: "${PORT}"}
sources: {s: {type: agora, apps: {a: {secrets: ["${ONE}", "file:s.txt", "credential:agora", "pre-$${X}-${ONE}", "${EMPTY:-fallback-1}"]}}}}
""", env={"PORT": "99", "ONE": "file:looks-like-one", "CREDENTIALS_DIRECTORY": str(credentials), "EMPTY": ""})
    assert (got.server.host, got.server.port) == ("::1", 99)
    assert got.sources["s"].apps["a"].secrets == (
        b"file:looks-like-one", b"from-a-file", b"from-a-credential", b"pre-${X}-file:looks-like-one", b"fallback-1")


def test_generated_secret_is_made_once_and_only_by_the_server(tmp_path):
    text = app('"generate:calls"')
    without = load(tmp_path, text)
    assert without.sources["s"].apps["a"].secrets == ()
    assert any("first starts" in warning for warning in without.warnings)
    assert not (tmp_path / "data").exists()

    first = load(tmp_path, text, generate=True).sources["s"].apps["a"].secrets[0]
    file = tmp_path / "data" / "calls.secret"
    assert len(bytes.fromhex(first.decode())) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["calls.secret"]
    again = load(tmp_path, text, generate=True)
    assert again.sources["s"].apps["a"].secrets == (first,) and again.warnings == ()

    file.write_text("\n")
    assert "is empty" in str(failure(tmp_path, text, generate=True))


def test_generated_secret_in_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "data").write_text("a file, not a directory")
    assert "cannot be written" in str(failure(tmp_path, app('"generate:x"'), generate=True))


def test_warnings(tmp_path):
    open_file = write(tmp_path, "secret-in-the-open", "open.txt")
    open_file.chmod(0o644)
    got = load(tmp_path, "server: {host: 0.0.0.0}\n" + app('"file:open.txt", "short"'))
    assert [part for part in ("every address", "can be read by every user", "shorter than 8")
            if not any(part in warning for warning in got.warnings)] == []
    assert not any("short" == word or "secret-in-the-open" in warning
                   for warning in got.warnings for word in warning.split())
    file = write(tmp_path, GOOD)
    os.chmod(file, 0o644)
    assert any("contains secrets" in warning for warning in config.load(file, env={}).warnings)
    assert any("no sources" in warning for warning in load(tmp_path, "server: {}\n").warnings)
    assert any("longer than store.retention" in warning for warning in load(tmp_path, GOOD + "store: {retention: 1d}\n").warnings)


def test_conf_d_is_merged(tmp_path):
    write(tmp_path / "conf.d", "sources:\n  more:\n    type: agora\n    apps: {b: {secrets: ['file:b.txt']}}\n", "10.yaml")
    write(tmp_path / "conf.d", "file-b-secret", "b.txt")
    write(tmp_path / "conf.d", "store: {retention: 1d}\n", "20.yaml")
    write(tmp_path / "conf.d", "nonsense", ".hidden.yaml")
    write(tmp_path / "conf.d", "nonsense", "30.yaml.off")
    got = load(tmp_path, GOOD)
    assert set(got.sources) == {"calls", "more"}
    assert got.sources["more"].apps["b"].secrets == (b"file-b-secret",)
    assert got.store.retention == 86400 and got.data == tmp_path / "data"

    write(tmp_path / "conf.d", "sources:\n  calls:\n    type: agora\n", "40.yaml")
    error = failure(tmp_path, GOOD)
    assert error.file.endswith("40.yaml") and (error.line, error.key) == (3, "sources.calls.type")
    assert f"{tmp_path}/conf.yaml:3" in str(error)


def test_secrets_are_hidden(tmp_path):
    got = load(tmp_path, GOOD)
    for shown in (repr(got), str(got), json.dumps(masked(got))):
        assert "0123456789abcdef" not in shown
    assert masked(got)["sources"]["calls"]["apps"]["demo"]["secrets"] == ["[hidden]"]


def test_config_is_frozen(tmp_path):
    got = load(tmp_path, GOOD)
    with pytest.raises(AttributeError):
        got.server.port = 1
    assert msgspec.structs.replace(got, server=msgspec.structs.replace(got.server, port=1)).server.port == 1


def test_every_key_is_described():
    rows = config.describe()
    assert len({row[0] for row in rows}) == len(rows)
    assert all(kind and meaning.endswith(".") for _, kind, _, meaning in rows)
    names = {row[0] for row in rows}
    assert {"server.port", "store.max_size", "limits.rate", "sources.<name>.apps.<app id>.secrets",
            "sources.<name>.dedup.window"} <= names


def test_schema_knows_the_same_keys():
    def leaves(schema, prefix=""):
        for name, one in schema.get("properties", {}).items():
            assert one["description"], prefix + name
            yield from walk(one, prefix + name)

    def walk(one, dotted):
        one = next((choice for choice in one.get("anyOf", ()) if "properties" in choice), one)
        if "properties" in one:
            yield from leaves(one, dotted + ".")
        elif isinstance(one.get("additionalProperties"), dict):
            yield from leaves(one["additionalProperties"], dotted + ".<>.")
        elif "properties" in one.get("items", {}):
            yield from leaves(one["items"], dotted + "[].")
        else:
            yield dotted

    described = {row[0].replace("<name>", "<>").replace("<app id>", "<>") for row in config.describe()
                 if row[1] != "list" and not row[1].startswith(("section", "mapping"))}
    assert set(leaves(config.schema())) == described
    json.dumps(config.schema())


def test_shipped_file_works_as_it_is(tmp_path):
    shipped = os.path.join(os.path.dirname(__file__), "..", "conf.yaml")
    got = config.load(shipped, env={}, data=tmp_path / "data", generate=True)
    assert list(got.sources) == ["calls"] and list(got.sources["calls"].apps) == ["demo"]
    assert got.warnings == () and (got.server.host, got.server.port) == ("127.0.0.1", 8080)
    assert len(got.sources["calls"].apps["demo"].secrets[0]) == 64


WORDS = st.sampled_from(["server", "store", "sources", "port", "type", "agora", "apps", "secrets", "no", "1:30", "&a", "*a",
                         "!!x", "{", "}", "[", "]", ":", ", ", "\n", "\n  ", "- ", "'", '"', "${A}", "file:", "|", ">", "#",
                         "\t", "---", "?", "destinations", "routes", "jobs", "notify", "on", "to", "from", "when", "generic", "http", "url", "http://a/", "verify",
                         "none", "secret", "payload.a", "<<", "%", "\x00", "\ufeff", "é", "7d", "2MiB", "5/s"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=25).map("".join)))
def test_any_text_is_a_config_or_a_config_error(tmp_path, text):
    file = tmp_path / "conf.yaml"
    file.write_bytes(text.encode("utf-8", "replace"))
    try:
        config.load(file, env={"A": "x"})
    except ConfigError as error:
        assert str(error)

"""Text with fields of an event in braces: request bodies, arguments, messages, subjects.

``{source}`` ``{type}`` ``{id}`` ``{app}`` ``{key}`` ``{seq}`` ``{at}`` ``{method}`` ``{path}`` ``{client}`` are the event's own,
``{header.X-Name}`` is one of its headers, ``{body}`` its raw body, ``{payload}`` the JSON or the form in it and ``{payload.a.b[0]}`` a part of that;
``{task}`` ``{attempt}`` ``{destination}`` tell of the delivery. ``{payload.a|json}`` is the value as JSON text, with quotes, for use in a JSON body.
What is not there is empty, as ``|json`` it is null. A brace that starts no field stays as it is, so JSON can be written
plainly; ``{{`` is one brace where it would start a field.

Pure.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable

from hookserver.core.bodies import payload_of
from hookserver.core.fields import ABSENT, parse_field, walk
from hookserver.core.records import EVENT, Record, decode, iso_ms, raw_body
from hookserver.core.tasks import Task

_FIELD = re.compile(r"\{\{|\{([A-Za-z_][^{}|\s]*)(?:\|([^{}\s]*))?\}")


class Values:
    """The values that a template can name: of one record, for one attempt of one task. What costs is made when it is asked for."""

    def __init__(self, line: bytes, task: Task, attempt: int):
        """``line``: the record that the task is about. Raises BadLine when it is none."""
        self._line, self.task, self.attempt = line, task, attempt
        self.record: Record = decode(line)

    @functools.cached_property
    def body(self) -> bytes:
        """The body as it arrived; of a record that is no event, its payload."""
        return raw_body(self._line) if self.record.kind == EVENT else bytes(self.record.payload)

    @functools.cached_property
    def payload(self) -> object:
        """What fields see of the body: JSON, or a form; None when it is neither."""
        return payload_of(self.record)

    @functools.cached_property
    def headers(self) -> dict[str, str]:
        """Lower-case name -> value, repeated ones joined with a comma."""
        return {name.lower(): value if isinstance(value, str) else ",".join(value) for name, value in self.record.headers.items()}

    @property
    def type(self) -> str:
        return self.record.type or self.record.kind


_PLAIN: dict[str, Callable[[Values], object]] = {
    "source": lambda values: values.record.source,
    "type": lambda values: values.type,
    "id": lambda values: values.record.id,
    "app": lambda values: values.record.app,
    "key": lambda values: values.record.key,
    "seq": lambda values: values.record.seq,
    "at": lambda values: iso_ms(values.record.at_ms),
    "method": lambda values: values.record.method,
    "path": lambda values: values.record.path,
    "client": lambda values: values.record.client,
    "body": lambda values: values.body.decode("utf-8", "replace"),
    "payload": lambda values: values.payload,
    "task": lambda values: values.task.id,
    "attempt": lambda values: values.attempt,
    "destination": lambda values: values.task.target,
}
NAMES = tuple(_PLAIN)


class Template:
    """A compiled template."""

    def __init__(self, parts: tuple[str | Callable[[Values], str], ...]):
        self._parts = parts

    def render(self, values: Values, escape: Callable[[str], str] = str) -> str:
        """The text; ``escape`` is applied to what comes from fields. Raises BadLine when the record's body cannot be recovered."""
        return "".join(part if isinstance(part, str) else escape(part(values)) for part in self._parts)


@functools.lru_cache(maxsize=1024)
def compile_template(text: str) -> Template:
    """Raises ValueError for a field that does not exist, naming it and the ones that do."""
    parts: list[str | Callable[[Values], str]] = []
    end = 0
    for match in _FIELD.finditer(text):
        parts.append(text[end:match.start()])
        parts.append("{" if match[0] == "{{" else _field(match[1], match[2]))
        end = match.end()
    parts.append(text[end:])
    return Template(tuple(part for part in parts if part))


def _field(name: str, form: str | None) -> Callable[[Values], str]:
    if form not in (None, "json"):
        raise ValueError(f"{{{name}|{form}}}: the only form is |json")
    get = _getter(name)
    if form == "json":
        return lambda values: _json(get(values))
    return lambda values: _text(get(values))


def _getter(name: str) -> Callable[[Values], object]:
    if name in _PLAIN:
        return _PLAIN[name]
    try:
        field = parse_field(name, (*NAMES, "header"))
    except ValueError as error:
        raise ValueError(f"{{{name}}} {error}") from None
    if field.root == "header":
        header = field.steps[0]
        return lambda values: values.headers.get(header, ABSENT)
    return lambda values: walk(values.payload, field.steps)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or value is ABSENT else _json(value)


def _json(value: object) -> str:
    return json.dumps(None if value is ABSENT else value, ensure_ascii=False, separators=(",", ":"))

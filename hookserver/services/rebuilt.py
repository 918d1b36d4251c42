"""Requests of earlier, made again from what is kept of them: from an event's record, from a rejection.

They are as they came, but for the values of sensitive headers, which are never stored.
"""

from __future__ import annotations

from hookserver.core.records import REDACTED, Record, raw_body
from hookserver.core.requests import InboundRequest
from hookserver.store.rejections import TEXT, Rejection


class Incomplete(ValueError):
    """Too little was kept of a request to make it again; the text says what is missing."""


def of_event(record: Record, line: bytes) -> InboundRequest:
    """The request that became this record. Raises BadLine."""
    path, _, query = record.path.partition("?")
    headers = [(name, value) for name, values in record.headers.items()
               for value in (values if isinstance(values, list) else [values])]
    return InboundRequest(record.method, path, query, headers, raw_body(line), record.client, record.client, record.at_ms)


def of_rejection(refused: Rejection) -> InboundRequest:
    """The request that was refused. Raises Incomplete."""
    if refused.body != "whole":
        raise Incomplete("its body was not read or not kept" if refused.body == "none" else "only the beginning of its body was kept")
    if refused.headers_cut:
        raise Incomplete("only some of its headers were kept")
    if max(len(refused.path), len(refused.query), len(refused.method)) >= TEXT:
        raise Incomplete("its path is longer than what is kept")
    return InboundRequest(refused.method, refused.path, refused.query, refused.headers, refused.raw_body(),
                          refused.client, refused.client, refused.at_ms)


def lacks_secrets(request: InboundRequest) -> bool:
    """Whether values of headers, or a token in the path or the query, are missing; a check that needs one of them cannot pass."""
    return REDACTED in request.path or REDACTED in request.query or any(REDACTED in value for _, value in request.headers)

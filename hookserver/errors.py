"""Our exceptions, and the one table of error codes.

A refusal that a client sees carries one of the codes in ``CODES``; its HTTP status is looked up
there and nowhere else. Failures of storage are 503 and never 4xx: a sender gives up on a 4xx.
"""

from __future__ import annotations

from functools import partial

CODES: dict[str, tuple[int, str]] = {
    # the request itself
    "bad_request": (400, "The request is malformed."),
    "bad_json": (400, "The body is not the strict JSON that this source expects."),
    "schema_mismatch": (400, "The body is not what the schema of this source asks for."),
    "bad_field": (400, "A field of the body is not what it must be."),
    "bad_timestamp": (400, "The signed time is not written as this source has it."),
    "bad_parameter": (400, "A query parameter has a value that is not understood."),
    "not_found": (404, "There is nothing at this path."),
    "unmatched": (404, "No source is configured for this path."),
    "method_not_allowed": (405, "This path does not take this method."),
    "body_timeout": (408, "The body did not arrive in time."),
    "conflict": (409, "What was asked for does not fit the state of things."),
    "handshake": (409, "The request only asks for an answer; there is nothing to keep."),
    "idempotency_conflict": (409, "The Idempotency-Key belongs to another request."),
    "too_large": (413, "The body is larger than this source accepts."),
    "unsupported_type": (415, "The content type is not one that this source accepts."),
    "unsupported_encoding": (415, "The body is compressed, and this source does not allow it."),
    "expectation_failed": (417, "The Expect header asks for something unknown."),
    "wrong_host": (421, "The Host header names another host."),
    "header_too_large": (431, "The header of the request is too large."),
    "rate_limited": (429, "Too many requests from this address."),
    # who sent it
    "signature_missing": (401, "The request carries no signature."),
    "signature_mismatch": (401, "The signature does not match any active secret."),
    "timestamp_outside": (401, "The signed time is too far from this server's clock."),
    "token_required": (401, "This path needs the admin token."),
    "cross_origin": (403, "A state-changing request came from another site."),
    "address_denied": (403, "This address is not on the source's list."),
    # what its source does with it
    "filtered": (200, "The source's own conditions drop it."),
    # storage and life cycle
    "store_unavailable": (503, "The store cannot take the event now."),
    "certificate_unavailable": (503, "The certificate of the signature cannot be fetched now."),
    "commit_timeout": (503, "The write did not finish in time; its fate is unknown."),
    "overloaded": (503, "Too much is waiting to be written."),
    "draining": (503, "The server is stopping."),
    "internal": (503, "An unexpected error; the event was not acknowledged."),
}


class HookserverError(Exception):
    """Base of every error that hookserver raises on purpose."""


class ConfigError(HookserverError):
    """conf.yaml cannot be used. Names file, line (1-based, or None) and key; never a secret."""

    def __init__(self, message: str, *, file: str = "", line: int | None = None, key: str = "", hint: str = ""):
        self.message, self.file, self.line, self.key, self.hint = message, file, line, key, hint
        place = f"{file}:{line}" if line else file
        where = ": ".join(part for part in (place, key) if part)
        super().__init__((f"{where}: " if where else "") + message + (f" ({hint})" if hint else ""))


class StorageUnavailable(HookserverError):
    """The store cannot accept a record now; nothing was acknowledged. Answered 503.

    ``code`` is one of the 503 codes of ``CODES``; ``retry_after`` is in seconds.
    """

    def __init__(self, message: str, *, code: str = "store_unavailable", retry_after: int = 5):
        super().__init__(message)
        self.code, self.retry_after = code, retry_after


class StorePoisoned(StorageUnavailable):
    """A sync failed: what the kernel holds is unknown. The process must stop (exit code 74)."""


class CorruptionError(HookserverError):
    """Bytes that were durable have changed. Names file, offset and the seq range concerned."""

    def __init__(self, why: str, *, file: str, offset: int = 0, first_seq: int = 0, last_seq: int | None = None):
        self.why, self.file, self.offset, self.first_seq, self.last_seq = why, file, offset, first_seq, last_seq
        end = "the end" if last_seq is None else last_seq
        super().__init__(f"{file}: offset {offset}: seq {first_seq} to {end}: {why}")

    def __reduce__(self):
        # For the way from one process to another: pickle alone does not know the names of arguments.
        return partial(CorruptionError, file=self.file, offset=self.offset, first_seq=self.first_seq, last_seq=self.last_seq), (self.why,)


class LockedError(HookserverError):
    """Another process holds the data directory."""


class Refused(HookserverError):
    """An answer of refusal, thrown as an exception. ``status`` defaults to the code's own.

    ``headers`` are sent with the answer; ``retry_after`` is in seconds.
    """

    def __init__(self, code: str, message: str | None = None, *, hint: str | None = None,
                 status: int | None = None, headers: dict[str, str] | None = None,
                 retry_after: int | None = None):
        known_status, meaning = CODES[code]
        self.code, self.status = code, status or known_status
        self.message, self.hint = message or meaning, hint
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        super().__init__(f"{self.status} {code}: {self.message}")

    def body(self) -> dict:
        """The JSON object sent to the client."""
        error = {"code": self.code, "message": self.message}
        if self.hint:
            error["hint"] = self.hint
        return {"error": error}

"""What all schemes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hookserver.core.fields import Field
from hookserver.core.schemes.reading import Reading
from hookserver.core.signatures import Verdict


class Scheme(Protocol):
    """See the head of the package. ``public_url``: the sender signs the address that it posts to. ``tokens``: the fields whose value
    is itself the secret; they are not written down."""

    @property
    def public_url(self) -> bool: ...

    @property
    def tokens(self) -> tuple[Field, ...]: ...

    def prepare(self, secret: bytes) -> Any:
        """The key that a secret stands for. Raises ValueError, without the secret, when it cannot protect anything."""

    def check(self, reading: Reading, keys: Sequence[Any]) -> Verdict:
        """Whether the request proves one of ``keys``. Raises nothing."""

"""Whether 32 bytes are an ed25519 public key that proves anything. Source: RFC 8032, 5.1.3 (decoding) and 5.1.4 (addition).

A point of small order verifies signatures that nobody made: for the neutral point, and some messages for the others, an all-zero
signature passes. Libraries take such keys without a word.
"""

from __future__ import annotations

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
_ROOT = pow(2, (P - 1) // 4, P)     # of -1

Point = tuple[int, int]


def check_point(raw: bytes) -> None:
    """Raises ValueError for what is no point of the curve, is not written the one right way, or has an order of 8 or less."""
    if len(raw) != 32:
        raise ValueError(f"has {len(raw)} bytes; an ed25519 public key has 32")
    point = _decode(raw)
    if point is None:
        raise ValueError("is not a point of ed25519's curve")
    for _ in range(3):
        point = _double(point)
    if point == (0, 1):
        raise ValueError("is a point of low order, under which anybody can sign")


def _decode(raw: bytes) -> Point | None:
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT % P
    if (x * x - square) % P or not x and sign:
        return None
    return (P - x if x & 1 != sign else x), y


def _double(point: Point) -> Point:
    x, y = point
    product = D * x * x * y * y % P
    return 2 * x * y * pow(1 + product, -1, P) % P, (y * y + x * x) * pow(1 - product, -1, P) % P

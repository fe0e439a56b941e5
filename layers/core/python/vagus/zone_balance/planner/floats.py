"""The engine's arithmetic: 32-bit floats, and what it takes for equal."""

import struct

EPSILON = 0.001
NOISE = 1e-6
"""The engine's own epsilon; and what 32-bit floats can't tell apart."""


def limit_of(threshold: float) -> float:
    """The difference of weights up to which the engine lets a pair be."""
    return max(threshold + EPSILON, 1.0) + NOISE


def single(value: float) -> float:
    """Rounded to a 32-bit float."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded

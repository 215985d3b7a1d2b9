"""Everything in the emulator that looks random but is not.

In: any values that name a thing (a seed, a handle, a day, a request number). Out: a 64-bit hash of them, a share from 0
to 1, a text like a credential. The same names give the same result on every machine and in every process. So a world, a
fault and a test can be repeated. `mix` is the form for arrays, for millions of cells.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def hash64(*names: object) -> int:
    """Return an integer from 0 to 2**64 - 1 that depends on the names and their order."""
    text = "|".join(map(str, names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def share(*names: object) -> float:
    """Return a number from 0 (included) to 1 (excluded) that depends on the names and their order."""
    return (hash64(*names) >> 11) / 2**53


def letters(length: int, *names: object) -> str:
    """Return `length` letters and digits that depend on the names, in the form of a credential."""
    stream = hashlib.shake_256("|".join(map(str, names)).encode()).digest(length)
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in stream)


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each 64-bit value, of the same shape: the finaliser of splitmix64."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values

"""Names and ids from a seed, so that the same run makes the same ARNs."""

from __future__ import annotations

import random
import string
import threading
import uuid

__all__ = ["Ids"]

_ALPHABET = string.ascii_lowercase + string.digits


class Ids:
    """A seeded source of ids. Thread-safe; two sources with one seed give the same ids in the same order.

    Args:
        seed: Any integer, or a text such as `"7/requests"`.
    """

    def __init__(self, seed: int | str = 0) -> None:
        self._seed = seed
        self._random = random.Random(str(seed))  # noqa: S311 - ids, not secrets
        self._lock = threading.Lock()

    def token(self, n: int = 12) -> str:
        """A token of `n` lower-case letters and digits, as ARNs of Bedrock end in."""
        with self._lock:
            return "".join(self._random.choices(_ALPHABET, k=n))

    def uuid(self) -> str:
        """A version 4 UUID, as request ids are."""
        with self._lock:
            return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def spawn(self, name: str) -> Ids:
        """Another source, seeded from this one's seed and `name`.

        Whoever draws ids at times that threads decide (requests, background work) takes a source of its own, so that
        the others stay reproducible.
        """
        return Ids(f"{self._seed}/{name}")

"""One seed for each thing that is drawn, so that nothing needs to remember a generator's state."""

from __future__ import annotations

import hashlib


def seed_of(seed: int, step: int, rank: int = 0, what: str = "clips") -> int:
    """The seed of one process's clips or noise at one step. Hashed, so that runs and steps do not overlap; a CPU's
    generator takes 32 bits of it, so among a million steps a few share theirs."""
    digest = hashlib.sha256(f"{seed},{step},{rank},{what}".encode()).digest()
    return int.from_bytes(digest[:7], "little")

"""The part of the Api that says how an owner is."""

from typing import Protocol

from backend.domain.health import Health


class HealthApi(Protocol):
    """What those who watch over servers ask."""

    def health(self) -> Health:
        """Whether the owner can work, tried and not guessed, and its figures; a row is written to the journal's disk for it."""
        ...

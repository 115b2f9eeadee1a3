"""Processes of one command that somebody else has started, such as torchrun: whom the first of them leads.

A plugin's function (`iwm_launchers`) has the command carried out by the first process, which notes here whom it leads.
"""

from typing import Protocol


class Launched(Protocol):
    """The processes of a launcher, of which this is the first; there are ``size``."""

    size: int

    def announce(self, run: str, overrides: list[str]) -> None:
        """Have the others take part in a training that begins here, by its run and the overrides on its config."""


led: list[Launched] = []
"""Whom this process leads: one group at most."""

"""What a shared run tells of itself. Needs no torch."""

from typing import NotRequired, TypedDict

MANIFEST = "iwm.json"


class Manifest(TypedDict):
    """What ``iwm.json`` tells of a shared run: its files with their SHA-256, and its licence."""

    format: int
    files: dict[str, str]
    licence: NotRequired[str | None]

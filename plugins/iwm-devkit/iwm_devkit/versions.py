"""Which versions of iwm go together: before 1.0, interfaces change with the second number, later with the first."""

from packaging.version import Version


def bounds(version: str) -> str:
    """The versions that a plugin written with this one goes with."""
    known = Version(version)
    least = f"{known.major}.{known.minor}" if not known.is_prerelease else known.public  # 0.2rc1 lies below 0.2
    return f">={least},<{following(version)}"


def following(version: str) -> str:
    """The next version whose interfaces may differ."""
    known = Version(version)
    return f"{known.major + 1}" if known.major else f"0.{known.minor + 1}"

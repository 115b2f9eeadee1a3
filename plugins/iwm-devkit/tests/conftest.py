"""Plugins installed for a test."""

from plugin_packages import site  # noqa: F401  # a fixture

"""A test for each thing that ``iwm plugins check`` checks: ``pytest --iwm-plugin NAME``, or ``iwm_plugins = ["NAME"]`` in the ini.

Decisions:
- Every pytest of the environment loads this module: it imports nothing but pytest, and does nothing until it is asked.
- The option is always heeded; the ini where pytest is started without paths, so that one file can still be tested alone.
- What is asked for is settled once and written into the option, by which the processes of pytest-xdist learn of it.
"""

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("iwm", "image world models")
    group.addoption(
        "--iwm-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="check an installed plugin of iwm, by the name of its distribution or entry point; may be repeated",
    )
    parser.addini("iwm_plugins", "installed plugins of iwm that are checked when pytest is started without paths", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    source = getattr(config, "args_source", None)  # None before pytest 7.2
    without_paths = source is None or source is not pytest.Config.ArgsSource.ARGS
    names = [*config.option.iwm_plugin, *(config.getini("iwm_plugins") if without_paths else [])]
    config.option.iwm_plugin = list(dict.fromkeys(names))
    if not names:
        return
    from iwm_core.interfaces.errors import UserError
    from iwm_devkit.plugin_check.checks import points_of

    asked: dict[tuple[str, ...], str] = {}  # one plugin may be asked for by two names
    for name in config.option.iwm_plugin:
        try:
            asked.setdefault(tuple(f"{p.distribution}:{p.name}" for p, _ in points_of(name)), name)
        except UserError as error:
            raise pytest.UsageError(f"--iwm-plugin: {error}") from error
    config.option.iwm_plugin = list(asked.values())


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose among the tests
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    for name in config.option.iwm_plugin:
        plugin = InstalledPlugin.from_parent(session, name=name, nodeid=name)
        report = plugin.ihook.pytest_make_collect_report(collector=plugin)
        plugin.ihook.pytest_collectreport(report=report)
        items += report.result


class InstalledPlugin(pytest.Collector):
    """Stands for a plugin; its tests are what is checked of it."""

    def collect(self) -> list[Any]:
        from iwm_core.interfaces.errors import UserError
        from iwm_devkit.plugin_check import checks_of

        try:
            return [CheckItem.from_parent(self, name=f"{check.title}: {check.name}", check=check) for check in checks_of(self.name)]
        except UserError as error:  # of strictness
            raise self.CollectError(str(error)) from error


class CheckFailed(Exception):
    """Its text is the problem."""


class CheckItem(pytest.Item):
    """One check of a plugin as a test."""

    def __init__(self, *, check: Any, **given: Any) -> None:
        super().__init__(**given)
        self.check = check

    def runtest(self) -> None:
        result = self.check.result()
        if result.note:
            self.add_report_section("call", "note", result.note)
        if not result.passed:
            raise CheckFailed(result.problem)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, CheckFailed) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, f"{self.check.plugin.distribution} {self.name}"

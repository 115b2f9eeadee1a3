"""``iwm`` with the tiny plugin registered: for tests that need a process of their own."""

import sys


def register() -> None:
    import tiny_plugin

    from iwm_core.plugins.loader import Plugin, load_plugins

    plugins = load_plugins()
    if any(plugin.distribution == "tiny-plugin" for plugin in plugins.plugins):  # installed
        return
    plugins.plugins.append(Plugin("tiny", "tiny-plugin", "0", tiny_plugin))
    plugins.manager.register(tiny_plugin)


def command() -> int:
    register()
    from iwm_core.cli.main import dispatch

    return dispatch(sys.argv[1:])


if __name__ == "__main__":
    from iwm_core.cli.main import guarded

    sys.exit(guarded(command))

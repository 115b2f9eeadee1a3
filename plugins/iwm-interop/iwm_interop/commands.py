"""What carries out the verbs: words are checked as far as can be before torch is imported, which takes seconds."""

from iwm_core.cli.listing import tell_problems


def run_import(arguments: list[str]) -> int:
    from iwm_interop.importing.asked import read_arguments

    asked = read_arguments(arguments)
    from iwm_interop.importing.work import import_weights

    tell_problems()
    return import_weights(asked)


def run_export(arguments: list[str]) -> int:
    from iwm_interop.exporting.asked import read_arguments

    asked = read_arguments(arguments)
    from iwm_interop.exporting.work import export

    tell_problems()
    return export(asked)


def run_features(arguments: list[str]) -> int:
    from iwm_interop.features.asked import read_arguments

    asked = read_arguments(arguments)
    from iwm_interop.features.work import write_features

    tell_problems()
    return write_features(asked)


def run_push(arguments: list[str]) -> int:
    from iwm_interop.sharing.asked import read_arguments

    asked = read_arguments(arguments)
    from iwm_interop.sharing.work import push

    tell_problems()
    return push(asked)

"""What carries out the verb: words are checked as far as can be before torch is imported, which takes seconds."""

from iwm_core.cli.listing import tell_problems


def run_bench(arguments: list[str]) -> int:
    from iwm_bench.asked import read_arguments

    asked = read_arguments(arguments)
    from iwm_bench.work import bench

    tell_problems()
    return bench(asked)

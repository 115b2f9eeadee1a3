"""What carries out the verb: words are checked as far as can be before torch is imported, which takes seconds."""

from iwm_bench.verbs import Bench
from iwm_core.cli.listing import tell_problems


def run_bench(words: list[str], given: Bench) -> int:
    from iwm_bench.command_line import read_arguments

    asked = read_arguments(words, given)
    from iwm_bench.benchmark import bench

    tell_problems()
    return bench(asked)

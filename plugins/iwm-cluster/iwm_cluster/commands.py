"""What carries out the verbs: words are checked as far as can be before torch and submitit are imported, which takes seconds."""

from iwm_cluster.verbs import Jobs, Submit
from iwm_core.cli.listing import tell_problems


def run_sweep(words: list[str], given: Jobs) -> int:
    from iwm_core.cli.words import read_recipe

    name, overrides = read_recipe(words, many=True)
    from iwm_cluster.sweep import sweep

    tell_problems()
    return sweep(name, overrides, given.jobs)


def run_submit(words: list[str], given: Submit) -> int:
    from iwm_cluster.command_line import read_arguments

    asked = read_arguments(words, given)
    from iwm_cluster.submit import submit

    tell_problems()
    return submit(asked)

"""What carries out the verb: words are checked as far as can be before torch and submitit are imported, which takes seconds."""

from iwm_core.cli.listing import tell_problems


def run_submit(arguments: list[str]) -> int:
    from iwm_cluster.asked import read_arguments

    asked = read_arguments(arguments)
    from iwm_cluster.submit import submit

    tell_problems()
    return submit(asked)

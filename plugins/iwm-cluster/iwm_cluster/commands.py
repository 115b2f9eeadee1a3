"""What carries out the verbs: words are checked as far as can be before torch and submitit are imported, which takes seconds."""

from iwm_core.cli.listing import tell_problems
from iwm_core.interfaces.errors import UserError


def run_sweep(arguments: list[str]) -> int:
    from iwm_core.cli.words import read_recipe

    at_once, words = take_jobs(arguments)
    name, overrides = read_recipe([word for word in words if word not in ("-m", "--multirun")], many=True)
    from iwm_cluster.sweep import sweep

    tell_problems()
    return sweep(name, overrides, at_once)


def run_submit(arguments: list[str]) -> int:
    from iwm_cluster.asked import read_arguments

    asked = read_arguments(arguments)
    from iwm_cluster.submit import submit

    tell_problems()
    return submit(asked)


def take_jobs(words: list[str]) -> tuple[int, list[str]]:
    """How many jobs run at a time (``--jobs N``, 1 where nothing is said), and the other words."""
    count, rest, left = "1", [], iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if name == "--jobs":
            count = value if equals else next(left, "")
        else:
            rest.append(word)
    if not count.isdecimal() or not 1 <= int(count) <= 1000:
        raise UserError(f"--jobs is how many jobs run at a time, got {count!r}; write --jobs 2")
    return int(count), rest

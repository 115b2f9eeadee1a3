"""What carries out the verb: words are checked as far as can be before torch is imported, which takes seconds."""

from iwm_core.cli.listing import tell_problems
from iwm_repro.verbs import Reproduce


def run_reproduce(words: list[str], given: Reproduce) -> int:
    from iwm_repro.command_line import read_arguments

    asked = read_arguments(words, given)
    if not asked.claims:
        from iwm_repro.listing import list_claims

        return list_claims(asked)
    from iwm_repro.reproduce import reproduce

    tell_problems()
    return reproduce(asked)

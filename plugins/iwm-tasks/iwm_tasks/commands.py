"""What carries out the verbs of tuning: words are checked as far as can be before torch is imported, which takes seconds."""

from iwm_cluster.verbs import Jobs

from iwm_core.cli.listing import tell_problems


def run_tune(words: list[str]) -> int:
    from iwm_core.cli.words import read_recipe, read_run
    from iwm_core.recipe.overrides import checkpoint_in

    path, rest = read_run(words, "tune", "recipe=tune/NAME [key=value …]")
    name, overrides = read_recipe(rest)
    from iwm_core.run.new_run import refuse_named

    refuse_named(checkpoint_in(overrides)[1])
    from iwm_tasks.tuning.start import start

    tell_problems()
    return start(path, name, overrides)


def run_predict(words: list[str]) -> int:
    from iwm_tasks.prediction.options import read_options

    asked = read_options(words)
    from iwm_tasks.prediction.predict import run_predict

    tell_problems()
    return run_predict(asked)


def run_compare(words: list[str], given: Jobs) -> int:
    from iwm_core.cli.words import read_run
    from iwm_core.run.lock import refuse_busy

    path, words = read_run(words, "compare")
    from iwm_tasks.comparison.arguments import read_setup
    from iwm_tasks.comparison.setup import find_folder

    refuse_busy(find_folder(*read_setup(path, words))[0])
    from iwm_tasks.comparison.compare import compare

    tell_problems()
    return compare(path, words, given.jobs)

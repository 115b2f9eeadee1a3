"""How a run ends on a terminal: the verdict with its evidence, and the first number of each evaluator, in about ten lines."""

from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.events import RunMeasured
from iwm_core.process.tables import FIXED, folded, width
from iwm_report.numbers import interval
from iwm_report.run_record import read_run
from iwm_report.score_table import first_metric
from iwm_report.verdict import rulings


def sum_up(event: RunMeasured) -> None:
    """Say what was found."""
    run = read_run(event.run, event.run.name)
    for one in rulings(run):
        for line in folded(f"{one.question} {one.word}. {one.evidence}".strip(), width(), 2):
            event.say(line)
    told = []
    for name, metric in (first for one in run.measured.values() if one.name in event.evaluators for first in first_metric(one)):
        bounds = interval(metric).replace(" to ", "–")
        told.append(f"{name} {three_digits(metric.value)}{f' ({bounds})' if bounds else ''}".replace(" ", FIXED))
    for line in folded(", ".join(told), width()):
        event.say(line)

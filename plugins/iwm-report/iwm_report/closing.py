"""How a run ends on a terminal: the verdict with its evidence, and the first number of each evaluator, in about ten lines."""

import shutil
import textwrap

from iwm_core.interfaces.events import RunMeasured
from iwm_core.process.shown import three_digits
from iwm_report.numbers import interval
from iwm_report.run_record import read_run
from iwm_report.sections import evaluator_sections, headlines
from iwm_report.verdict import rulings

NARROWEST, WIDEST = 40, 110


def sum_up(event: RunMeasured) -> None:
    """Say what was found."""
    run = read_run(event.run, event.run.name)
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    for one in rulings(run):
        for line in textwrap.wrap(f"{one.question} {one.word}. {one.evidence}".strip(), width, subsequent_indent="  "):
            event.say(line)
    told = []
    for one in headlines(evaluator_sections([run])):
        metric = one.line.values[0]
        if metric and one.section.name in event.evaluators:
            bounds = interval(metric).replace(" to ", "–")
            told.append(f"{one.name} {three_digits(metric.value)}{f' ({bounds})' if bounds else ''}".replace(" ", "\N{NO-BREAK SPACE}"))
    for line in textwrap.wrap(", ".join(told), width, break_long_words=False):
        event.say(line.replace("\N{NO-BREAK SPACE}", " "))

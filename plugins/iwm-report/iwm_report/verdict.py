"""What the evaluators of a run answer to a reader's questions, in a word each, with the evidence.

Decisions:
- The word is that of all that answer: all yes, all no, some yes, or none yes while some leave it open.
- The evidence is the first answer, in the recipe's order, that says what the word says.
- A run whose evaluators answer nothing, such as one of an earlier version, has no verdict: nothing is guessed from numbers.
"""

from typing import NamedTuple

from iwm_evals.measuring.measured import Measured

from iwm_core.interfaces.results import QUESTIONS, Answer
from iwm_report.run_record import RunRecord

WORDS = {
    "alive": ("Yes", "No", "In part", "Unclear"),
    "world_model": ("Yes", "No", "In part", "Not shown"),
    "features": ("More than pixels", "No more than pixels", "Some more than pixels", "Not shown"),
}
"""Of each question: all say yes, all say no, some say yes, none says yes and some leave it open."""

CLAUSES = {
    "alive": ("the encoder is alive", "the encoder has collapsed", "the encoder is alive in part", "whether the encoder is alive is open"),
    "world_model": (
        "its predictor is a world model",
        "its predictor is no world model",
        "its predictor is a world model in part",
        "its predictor is not shown to be a world model",
    ),
    "features": (
        "its features tell more than pixels do",
        "its features tell no more than pixels do",
        "its features tell some things better than pixels do",
        "its features are not shown to tell more than pixels do",
    ),
}
"""The same as parts of a sentence."""

LOOKS = ("yes", "no", "open", "open")


class Ruling(NamedTuple):
    """The answer to a question.

    Attributes:
        key, question: in `QUESTIONS`.
        place: of the answer, among `LOOKS`.
        evidence: a sentence; empty where no evaluator answers.
        evaluator: that gives it.
        agreeing, asked: evaluators that say the same, and that say anything.
    """

    key: str
    question: str
    place: int
    evidence: str
    evaluator: str
    agreeing: int
    asked: int

    @property
    def word(self) -> str:
        """The answer in a word."""
        return WORDS[self.key][self.place] if self.asked else "Not measured"

    @property
    def look(self) -> str:
        """Its class in the stylesheet."""
        return LOOKS[self.place] if self.asked else "none"


def rulings(run: RunRecord) -> list[Ruling]:
    """The answers to all questions, in their order; empty where nothing is answered."""
    answers = [(one, one.answer) for one in run.measured.values() if one.answer]
    found = [rule(key, [(one, answer) for one, answer in answers if answer.question == key]) for key in QUESTIONS]
    return found if answers else []


def rule(key: str, answers: list[tuple[Measured, Answer]]) -> Ruling:
    """The answer to one question."""
    said = {answer.yes for _, answer in answers}
    place = 0 if said == {True} else 1 if said == {False} else 2 if True in said else 3
    wanted = (True, False, True, None)[place]
    same = [(one, answer) for one, answer in answers if answer.yes is wanted]
    one, answer = (same or answers or [(None, None)])[0]
    agreeing = len(same) if place < 3 else 0
    return Ruling(key, QUESTIONS[key], place, answer.evidence if answer else "", one.name if one else "", agreeing, len(answers))


def in_a_sentence(found: list[Ruling]) -> str:
    """All answers in one sentence."""
    told = [CLAUSES[one.key][one.place] for one in found if one.asked]
    if not told:
        return ""
    text = f"{', '.join(told[:-1])}, and {told[-1]}" if len(told) > 2 else " and ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def question_of(found: list[Measured | None]) -> str:
    """The question under which an evaluator's section stands; empty: under none."""
    return next((one.answer.question for one in found if one and one.answer and one.answer.question in QUESTIONS), "")

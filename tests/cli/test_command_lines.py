"""A sample of the random command lines of `tests/slow/command_lines.py`."""

import sys

import pytest
from command_lines import carry_out, faults, fuzz
from huggingface_hub import constants
from random_lines import line_of


@pytest.mark.slow
def test_random_lines_are_carried_out_or_refused_in_one_line(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # also where it is imported already: no line may push anything
    lines = list(fuzz(seed=0, number=40, folder=tmp_path))
    assert not any(wrong for _, wrong in lines), "\n".join(f"{line.words}: {wrong} {line.err[-300:]}" for line, wrong in lines if wrong)
    assert sum(line.began for line, _ in lines) >= 2


def test_lines_are_the_same_for_the_same_numbers():
    assert [line_of(1, n) for n in range(50)] == [line_of(1, n) for n in range(50)]
    assert [line_of(1, n) for n in range(50)] != [line_of(2, n) for n in range(50)]


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ("raise RuntimeError('x')", "RuntimeError"),
        ("print('odd', file=sys.stderr)", "success with words on standard error"),
        ("print('\\x1b[31m')", "a control character"),
        ("print('warning: ' + 'x' * 400, file=sys.stderr)", "a line is too long"),
        ("open('left', 'w').close(); raise UserError('this is not how it is done')", "left behind: left"),
        ("print('more', file=sys.stderr); raise UserError('this is not how it is done')", "a refusal is one line, not 2"),
    ],
)
def test_each_fault_is_seen(tmp_path, monkeypatch, told, fault):
    from iwm_core.interfaces.errors import UserError

    monkeypatch.setattr("command_lines.dispatch", lambda words: exec(told, {"sys": sys, "UserError": UserError}) or 0)
    place = tmp_path / "some" / "where"
    place.mkdir(parents=True)
    found = faults(carry_out([], place))
    assert len(found) == 1
    assert fault in found[0]

"""A job of a real SLURM of one node, and a run under a launcher: samples of the programs in `slow/`."""

import os

import pytest
from launchers import launch
from one_node import first_to_last
from one_node_slurm import lacking


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_jobs_that_slurm_warns_are_queued_again_and_end_with_the_bits_of_one_that_nothing_disturbed(tmp_path):
    if "IWM_TEST_SLURM" not in os.environ:
        pytest.skip("a real SLURM is started where IWM_TEST_SLURM is set: its clocks need a machine with nothing else to do")
    if lacking():
        pytest.skip(f"there is no SLURM here: {', '.join(lacking())} is not on the PATH")
    assert first_to_last(tmp_path, (1,)) == []


@pytest.mark.slow
def test_what_accelerate_launch_starts_sees_and_learns_what_one_process_does(tmp_path):
    assert launch(tmp_path, ["one", "accelerate"], resumed=False) == []

"""Processes that a launcher has started: how many there are, which devices they need, and that a core alone does not take them for one."""

import pytest
import torch
from one_line import assert_one_line

from iwm_core.cli.main import command
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.launch import check_devices, processes_of
from iwm_core.recipe.config import Launch


def test_the_launcher_says_how_many_processes_there_are(monkeypatch):
    assert processes_of(Launch(processes=4)) == 4
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert processes_of(Launch()) == processes_of(Launch(processes=2)) == 2
    with pytest.raises(UserError, match="launch.processes=4, but 2 processes were started"):
        processes_of(Launch(processes=4))


@pytest.mark.parametrize(("there", "refused"), [(8, False), (1, False), (4, True)])
def test_devices_are_counted_on_this_machine(monkeypatch, there, refused):
    """Sixteen processes on two machines need eight devices each; one device is what srun gives to each process."""
    monkeypatch.setenv("WORLD_SIZE", "16")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    monkeypatch.setattr("iwm_core.process.launch.choose_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr("torch.accelerator.device_count", lambda: there)
    if refused:
        with pytest.raises(UserError, match="needs a device for each, but there are 4"):
            check_devices(Launch())
    else:
        check_devices(Launch())


def test_without_a_plugin_that_knows_launchers_several_processes_are_refused(monkeypatch, capsys):
    """Each would else carry out the whole command."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(load_plugins(), "modules", lambda hook: [])
    assert command(["--version"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no installed plugin knows what has started several processes: `pip install iwm`" in line


def test_without_a_plugin_that_starts_processes_several_are_refused_before_a_run_has_a_directory(iwm, monkeypatch, here):
    monkeypatch.setattr(load_plugins(), "modules", lambda hook: [])
    assert_one_line(iwm("train", "recipe=tiny", "launch.processes=2", "run=r"), "which no installed plugin does: `pip install iwm`")
    assert not (here / "r").exists()

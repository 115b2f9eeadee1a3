"""Runs ``iwm`` command lines in forked processes, so that a test can kill many of them without paying for imports each time.

Reads JSON lines ``{"args": […], "kill_after": seconds or null}`` and answers each with the exit status (negative: killed by that signal).
``wait`` seconds go by before; with ``"victim": "child"``, one of the command's children (a data worker, a job) is killed instead;
``{"signals": […], "at": TEXT}`` are sent once the command has said TEXT. It runs in ``folder``, by default in the server's.
What is said goes to the file that is named on the command line. A command that takes longer than `PATIENCE` is aborted, and says where.
Only this process imports; it computes nothing before it forks, so that no thread pool is copied half-alive.
"""

import faulthandler
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Timer

import tiny_command
import torchmetrics.functional.classification  # tasks import it when they first measure: a fork would pay each time
import torchmetrics.functional.regression  # noqa: F401

import iwm_core.training.starting  # noqa: F401
from iwm_core.plugins.loader import load_plugins

PATIENCE = 300
"""Seconds."""


def one_child(pid: int) -> int:
    """The oldest child of a process."""
    try:
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    except (OSError, IndexError):
        raise ProcessLookupError from None


def await_text(sink: Path, begin: int, text: str, pid: int) -> None:
    """Wait until a file holds a text after its first bytes, or the process that is to write it has ended."""
    while text.encode() not in sink.read_bytes()[begin:] and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.02)


def serve() -> None:
    tiny_command.register()
    for kind in load_plugins().kinds:
        load_plugins().entries(kind)  # imports the plugins' modules
    print("ready", flush=True)
    sink = Path(sys.argv[1]).absolute()
    for line in sys.stdin:
        job = json.loads(line)
        time.sleep(job.get("wait", 0))
        begin, signals = sink.stat().st_size, job.get("signals", ())
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            os.chdir(job.get("folder", "."))
            for number in signals:  # nohup ignores a lost connection for all that it starts, tests among it
                signal.signal(number, signal.SIG_DFL)
            descriptor = os.open(sink, os.O_WRONLY | os.O_APPEND)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            faulthandler.enable(descriptor)
            from iwm_core.cli.main import dispatch, guarded

            os._exit(guarded(lambda arguments=job["args"]: dispatch(arguments)))
        aborting = Timer(PATIENCE, os.killpg, (child, signal.SIGABRT))
        aborting.start()
        if job.get("kill_after") is not None:
            time.sleep(job["kill_after"])
            with suppress(ProcessLookupError):  # it has ended already
                os.kill(one_child(child) if job.get("victim") == "child" else child, signal.SIGKILL)
        if signals:
            await_text(sink, begin, job["at"], child)
            for number in signals:
                os.kill(child, number)
        _, status = os.waitpid(child, 0)
        aborting.cancel()
        aborting.join()
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()

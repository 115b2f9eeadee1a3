"""Runs ``iwm`` command lines in forked processes, so that a test can kill many of them without paying for imports each time.

Reads JSON lines ``{"args": […], "kill_after": seconds or null}`` and answers each with the exit status (negative: killed by that signal).
Only this process imports; it computes nothing before it forks, so that no thread pool is copied half-alive.
"""

import json
import os
import signal
import sys
import time

import tiny_command

import iwm_core.work  # noqa: F401
from iwm_core.plugins import KINDS, load_plugins


def serve() -> None:
    tiny_command.register()
    for kind in KINDS:
        load_plugins().entries(kind)  # imports the plugins' modules
    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            sink = os.open("output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            from iwm_core.cli import dispatch, guarded

            os._exit(guarded(lambda arguments=job["args"]: dispatch(arguments)))
        if job["kill_after"] is not None:
            time.sleep(job["kill_after"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()

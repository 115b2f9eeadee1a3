"""One of several processes of a run, as `iwm_cluster.spawn` starts it: ``python -m iwm_cluster.worker RUN [launch.key=value …]``.

Decisions:
- A process says how it ended in the file that IWM_OUTCOME names, and `spawn` tells the user, once for all.
- One that has met a user's mistake then waits to be killed: were it gone, the others would end in tracebacks about a lost connection.
- It ends with its parent: two trainings must never write to one run.
"""

import json
import os
import signal
import sys
from pathlib import Path

from iwm_cluster.children import end_with_parent
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.process.output import outlive_readers
from iwm_core.run.files import write_atomically


def main() -> None:
    assert "IWM_OUTCOME" in os.environ, "`iwm_cluster.spawn` starts it: without a parent, it would end the shell"
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until training handles it: silent, as the parent speaks
    end_with_parent()
    outlive_readers()
    try:
        sys.exit(work())
    except Stopped as stopped:
        tell(stopped.status, str(stopped))
        sys.exit(stopped.status)
    except UserError as error:
        tell(2, str(error))
        signal.pause()


def work() -> int:
    """This process's part of the training."""
    from iwm_core.training.starting import work_here  # takes seconds, in which a signal may come

    folder, *overrides = sys.argv[1:]
    return work_here(folder, overrides, quiet=os.environ["RANK"] != "0")


def tell(status: int, text: str) -> None:
    """Leave the outcome to the parent, whole or not at all."""
    write_atomically(Path(os.environ["IWM_OUTCOME"]), json.dumps([status, text]))


if __name__ == "__main__":
    main()

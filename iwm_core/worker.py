"""One of several processes of a run: ``torchrun -m iwm_core.worker RUN``."""

import os
import sys

from iwm_core.cli import guarded
from iwm_core.work import work_here


def main() -> None:
    folder = sys.argv[1]
    sys.exit(guarded(lambda: work_here(folder, quiet=os.environ["RANK"] != "0")))


if __name__ == "__main__":
    main()

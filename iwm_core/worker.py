"""``torchrun -m iwm_core.worker RUN``: ``iwm resume RUN``, by the name that it had in earlier versions."""

import sys

from iwm_core.cli.main import main

if __name__ == "__main__":
    sys.argv[1:1] = ["resume"]
    main()

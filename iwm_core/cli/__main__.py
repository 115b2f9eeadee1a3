"""``python -m iwm_core.cli VERB …``: the command ``iwm``, for jobs that start others."""

from iwm_core.cli.main import main

if __name__ == "__main__":
    main()

"""From Python: a training that one asks for, and the views of a step for a loop of one's own (`iwm_core.train`, `iwm_core.views`)."""

from iwm_interop.python.own_loop import make_views as views
from iwm_interop.python.training import train_from_python as train

__all__ = ["train", "views"]

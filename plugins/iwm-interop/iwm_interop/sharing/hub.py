"""The Hugging Face Hub: runs are pushed to it and fetched by ``hf://OWNER/NAME`` or ``hf://OWNER/NAME@REVISION``.

Decisions:
- All of the protocol is huggingface_hub's: its cache, its resuming, ``HF_HUB_OFFLINE``, ``HF_ENDPOINT`` and its tokens, which are read,
  written and printed by nobody else.
- What is fetched is taken for the commit that the revision stands for, and kept and recorded by it: `main` may be another tomorrow.
- A new repository is private unless ``--public`` says otherwise; one that is public already is not pushed to without it.
- Errors are told by what the user can do; the library's own texts run over many lines.
"""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, errors, snapshot_download
from huggingface_hub.utils import disable_progress_bars

from iwm_core.interfaces.errors import UserError
from iwm_interop.sharing.cache import cached, kept
from iwm_interop.sharing.command_line import is_name, is_revision

HTTPError: Any = errors.HTTPError  # pyright: ignore[reportPrivateImportUsage] - of requests or httpx, by the library's version
SCHEME = "hf://"
PATTERNS = ["iwm.json", "config.yaml", "import.json", "metrics.jsonl", "README.md", "eval/*.json", "checkpoints/step_*/*"]
WRITTEN = f"write {SCHEME}OWNER/NAME, or {SCHEME}OWNER/NAME@REVISION: a branch, a tag or a commit"
LOGIN = "log in with `hf auth login`, or set HF_TOKEN"


def fetch(address: str) -> Path:
    """The run that an address names, in the cache.

    Raises:
        UserError: it cannot be fetched, or is no run.
    """
    name, pinned, revision = address.removeprefix(SCHEME).partition("@")
    if not is_name(name) or (pinned and not is_revision(revision)):  # nobody is asked for what cannot be there
        raise UserError(f"{address[:120]} is no address of the Hub: {WRITTEN}")
    if (known := kept(f"hf--{name}", revision)) is not None:  # a commit, which stays what it is
        return known
    with told(f"{SCHEME}{name}", revision):
        snapshot = Path(snapshot_download(name, revision=revision or None, allow_patterns=PATTERNS))
    return cached(snapshot, f"hf--{name}", snapshot.name, f"{SCHEME}{name}@{snapshot.name}")


def upload(folder: Path, name: str, public: bool, message: str) -> str:
    """Push a folder as one commit; returns its address, pinned.

    Raises:
        UserError: it cannot be pushed, or the repository is public and ``public`` does not say so.
    """
    hub = HfApi(library_name="iwm")
    with told(f"{SCHEME}{name}", pushing=True):
        hub.create_repo(name, private=not public, exist_ok=True)
        if not public and hub.model_info(name).private is False:
            raise UserError(f"{SCHEME}{name} is public: add --public to push to it, or choose another name")
        commit: Any = hub.upload_folder(repo_id=name, folder_path=folder, commit_message=message, delete_patterns=PATTERNS)
    return f"{SCHEME}{name}@{commit.oid}"


@contextmanager
def told(address: str, revision: str = "", pushing: bool = False) -> Iterator[None]:
    """Turn the library's exceptions into one line that tells what to do."""
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of its own use of its own libraries
            yield
    except errors.HFValidationError as error:
        raise UserError(f"{address} is no address of the Hub: {WRITTEN}") from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{address} has no revision {revision!r}: name a branch, a tag or a commit") from error
    except (errors.RepositoryNotFoundError, errors.LocalTokenNotFoundError) as error:
        raise UserError(f"{address} is not there, or is private and you may not see it: check the name, or {LOGIN}") from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        off = "the Hub cannot be reached, or HF_HUB_OFFLINE is set"
        read = f"{off}, and {address} is not whole in the cache; go online once, and what is fetched is kept"
        pushed = f"{off}, and nothing was pushed to {address}: go online, then the same command again"
        raise UserError(pushed if pushing else read) from error
    except (HTTPError, ConnectionError, RuntimeError) as error:
        cause: Any = error if not isinstance(error, RuntimeError) else error.__cause__  # which uploads of weights are wrapped in
        if not isinstance(cause, (HTTPError, ConnectionError)):
            raise
        raise UserError(f"{address} {why(cause)}") from error


def why(error: BaseException) -> str:
    """What a failed request says, and what to do."""
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else 0
    if status == HTTPStatus.UNAUTHORIZED:
        return f"asks who you are: {LOGIN}"
    if status == HTTPStatus.FORBIDDEN:
        return f"may not be changed or read by you: check the name, or {LOGIN} as one who may"
    if status:
        return f"failed with HTTP status {status}: the same command goes on where it was"
    return f"cannot be reached ({type(error).__name__}): the same command goes on where it was"

"""What the page may ask of its handlers: each call is read, and what was read is passed on, nothing else.

Decisions:
- Gradio answers a wrong call with its own traceback in the user's terminal, and copies files that a call names before any handler is asked.
  So a call is held against the page's own controls first: values within their ranges, files that were uploaded.
- Only what was understood is written anew and passed on, so that two readers of the same bytes cannot differ.
- A slider whose number is cleared says null, and is at rest until a number is there again.
"""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from iwm_explore.own_files import own_file


class Calls:
    """Reads the calls of a page.

    Args:
        page: whose handlers are called.
        folder: where uploaded files lie.
    """

    def __init__(self, page: gr.Blocks, folder: Path) -> None:
        self.page, self.folder = page, folder

    def read(self, body: bytes) -> bytes:
        """The call in a request's body, as it is passed on.

        Raises:
            ValueError: it is none of the page's calls; the text is one line.
        """
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            raise ValueError("the call is not JSON") from None
        if not isinstance(call, dict):
            raise ValueError("the call is not a JSON object")
        number, session = call.get("fn_index"), call.get("session_hash")
        handler = self.page.fns.get(number) if type(number) is int else None
        if handler is None:
            raise ValueError("the page has no such handler (fn_index)")
        if not (isinstance(session, str) and 0 < len(session) <= 64):
            raise ValueError("the call names no session (session_hash)")
        given = call.get("data")
        if not (isinstance(given, list) and len(given) == len(handler.inputs)):
            raise ValueError(f"this handler takes {len(handler.inputs)} values (data)")
        data = [self.value(part, value) for part, value in zip(handler.inputs, given, strict=True)]
        chosen = [self.page.blocks[place] for place, event in handler.targets if event == "select" and place is not None]
        event = {"index": picked(chosen[0], call.get("event_data")), "value": None} if chosen else None
        return json.dumps({"fn_index": number, "session_hash": session, "data": data, "event_data": event}).encode()

    def value(self, part: Any, value: Any) -> Any:
        """A value that a component can have."""
        match part:
            case gr.State():  # is kept here, whatever a call says
                return None
            case gr.Slider() if value is None:
                return part.value
            case gr.Slider() if type(value) in (int, float) and part.minimum <= value <= part.maximum:
                return value
            case gr.Checkbox() if isinstance(value, bool):
                return value
            case gr.Radio() if type(value) in (int, float, str) and value in [one for _, one in part.choices]:
                return value
            case gr.File() if isinstance(value, dict) and isinstance(value.get("path"), str):
                file = own_file(value["path"], self.folder)
                if file is not None:
                    return {"path": str(file), "orig_name": file.name, "meta": {"_type": "gradio.FileData"}}
                raise ValueError("this file was not dropped here, or was read already; drop it again")
        raise ValueError(f"a value is none that its {part.get_block_name()} can have")


def picked(gallery: Any, event: Any) -> int:
    """The place of the image that was picked.

    Raises:
        ValueError: there is none.
    """
    place = event.get("index") if isinstance(event, dict) else None
    if type(place) is int and 0 <= place < len(gallery.value or []):
        return place
    raise ValueError("there is no such image")

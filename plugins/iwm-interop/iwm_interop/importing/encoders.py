"""Reads an encoder from a file, or from a folder of timm or transformers, and says where it comes from."""

from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_interop.importing.layouts import Found, encoder_in
from iwm_interop.sums import sha256_of
from iwm_interop.tensors import read_file

IN_FOLDERS = ("model.safetensors", "pytorch_model.bin")
"""What timm, transformers and our own exports call the weights of a folder."""
PROGRAMS = {".pt2": "torch", ".onnx": "onnx"}
"""Exports that are programs; their weights have lost their names."""


def read_encoder(place: Path) -> Found:
    """The encoder in a file, or in a folder.

    Raises:
        UserError: there is none, or it is damaged, or something in it is not explained.
    """
    file = weights_file(place)
    try:
        return encoder_in(read_file(file))
    except UserError as error:
        raise error if str(file) in str(error) else UserError(f"{file.name}: {error}") from error


def weights_file(place: Path) -> Path:
    """The file of weights that a path names: itself, or the one in a folder.

    Raises:
        UserError: there is none.
    """
    if place.suffix in PROGRAMS or any((place / f"model{suffix}").is_file() for suffix in PROGRAMS):
        raise UserError(f"{place} is a program, whose weights have no names any more; export the run as safetensors, timm or transformers")
    if place.is_file():
        return place
    if not place.is_dir():
        raise UserError(f"there are no weights at {place}; give a file, or a folder with {' or '.join(IN_FOLDERS)}")
    for name in IN_FOLDERS:
        if (place / name).exists() and not (place / name).is_file():  # a pipe would be waited for
            raise UserError(f"{place / name} is no regular file; fetch the folder again")
        if (place / name).is_file():
            return place / name
        if (place / f"{name}.index.json").is_file():
            raise UserError(f"the weights in {place} are cut into several files; save them as one, {name}, first")
    raise UserError(f"{place} holds no weights: there is no {' and no '.join(IN_FOLDERS)} in it")


def origin(of: str, place: Path, licence: str, source: str, report: list[dict[str, str]]) -> dict[str, Any]:
    """What a run keeps of where its weights come from, as ``import.json``; no path, as it goes wherever the weights go."""
    file = weights_file(place)
    told = {"format": 1, "of": of, "file": file.name, "sha256": sha256_of(file), "licence": licence, "source": source}
    return {**told, "keys": report}

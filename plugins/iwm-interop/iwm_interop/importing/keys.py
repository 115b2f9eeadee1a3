"""What becomes of each key of a file: taken under its name or another, or left out for a reason; nothing is passed over in silence."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from iwm_core.interfaces.errors import UserError


@dataclass
class Taken:
    """Weights under the names that they have here, and the report of every key of the file.

    Attributes:
        weights: float32, by name.
        report: of each key, ``{"key", "became"}`` or ``{"key", "left_out": why}``.
    """

    weights: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    report: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def take(self, place: str, found: dict[str, Tensor], names: dict[str, str], part: str, wanted: dict[str, Tensor]) -> None:
        """Take all weights of one part of a file.

        Args:
            place: the part in the file.
            found: its weights by the file's keys.
            names: what each key is called here; exactly these must be there.
            part: what the part is called here.
            wanted: the model's own tensors, of the shapes that are needed; a leading axis of 1 is dropped for them.

        Raises:
            UserError: a key is missing, unknown, or of another shape; the line names it.
        """
        missing, unknown = sorted(names.keys() - found.keys()), sorted(found.keys() - names.keys())
        if missing or unknown:
            lacks = f"lacks {place}.{missing[0]}{more(missing)}" if missing else ""
            has = f"has {place}.{unknown[0]}{more(unknown)}, which such a model does not have" if unknown else ""
            raise UserError(f"the file {' and '.join(part for part in (lacks, has) if part)}; a changed model cannot be imported")
        for key, name in names.items():
            own = f"{part}.{name}"
            shape, tensor = wanted[own].shape, found[key]
            if tensor.shape != shape and tuple(size for size in tensor.shape if size > 1) != tuple(size for size in shape if size > 1):
                raise UserError(f"{place}.{key} is of shape {tuple(tensor.shape)}, and {own} of this model is of {tuple(shape)}")
            self.weights[own] = tensor.float().reshape(shape)
            self.report.append({"key": f"{place}.{key}", "became": own})

    def leave_out(self, content: dict[str, Any], parts: set[str], reasons: dict[str, str]) -> None:
        """Account for what lies beside the parts that are taken.

        Raises:
            UserError: nothing explains a key; the line names it.
        """
        for key in (key for key in content if key not in parts):
            if key not in reasons:
                raise UserError(f"the file has {key!r}, which nothing explains; take it out, or keep to {', '.join([*parts, *reasons])}")
            self.report.append({"key": str(key), "left_out": reasons[key]})


def more(keys: list[str]) -> str:
    """How many there are besides the first."""
    return f" and {len(keys) - 1} more" if len(keys) > 1 else ""

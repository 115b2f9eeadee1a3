"""Columns of a table: which one holds what, and the classes in one.

Decisions:
- A column that the user names must be there; one left open is found by its type, then by the usual names.
- A cell holds a class, or a list of classes where an image may show several. A negative number is not a class, as in most tables, nor is
  an empty text; both are reported.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset


def find_column(
    table: Dataset, field: str, named: str | None, holds: Callable[[pa.DataType], bool], feature: type, usual: tuple[str, ...]
) -> str | None:
    """The column that the user named in ``field``; else one of type ``feature``, those with ``usual`` names first; else one of these names.

    Raises:
        ValueError: the named column is not there, or cannot hold this.
    """
    types = {column.name: column.type for column in table.features.arrow_schema}
    if named is not None:
        if named not in types or not holds(types[named]):
            fault = f"the column {named} holds {types[named]}" if named in types else f"there is no column {named}"
            able = [column for column, kind in types.items() if holds(kind)]
            raise ValueError(f"{fault}: {f'set data.{field} to one of ' + ', '.join(able) if able else f'no column can be data.{field}'}")
        return named
    typed = [column for column, kind in table.features.items() if isinstance(kind, feature)]
    fitting = [column for column in usual if column in types and holds(types[column])]
    return next(iter([column for column in fitting if column in typed] + typed + fitting), None)


def holds_image(kind: pa.DataType) -> bool:
    """Whether cells of this type may be image files: bytes, or a record with bytes."""
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def holds_class(kind: pa.DataType) -> bool:
    """Whether cells of this type may be classes: whole numbers, words, yes or no; or lists of these."""
    if holds_list(kind):
        return not holds_list(kind.value_type) and holds_class(kind.value_type)
    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean))


def holds_list(kind: pa.DataType) -> bool:
    """Whether cells of this type are lists."""
    return any(test(kind) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def is_several(table: Dataset, column: str) -> bool:
    """Whether cells of a column are lists."""
    return holds_list(table.features.arrow_schema.field(column).type)


def cells(table: Dataset, column: str) -> list[Any]:
    """A whole column as Python values."""
    return table.select_columns([column]).with_format("arrow")[:][column].to_pylist()


def values(table: Dataset, column: str) -> set[Any]:
    """All that is in the cells of a column, or in their lists."""
    found = cells(table, column)
    return {one for cell in found for one in cell or ()} if is_several(table, column) else set(found)


def declared(table: Dataset, column: str) -> list[str] | None:
    """The names of classes that a column declares; None where it declares none."""
    feature = table.features[column]
    feature = getattr(feature, "feature", feature)
    return feature.names if isinstance(feature, ClassLabel) else None


def is_class(value: Any) -> bool:
    """Whether the value of a cell names a class: not where it is missing, blank or below 0."""
    return value is not None and not is_blank(value) and not (isinstance(value, int) and value < 0)


def is_blank(value: Any) -> bool:
    """Whether a value is an empty or whitespace-only text."""
    return isinstance(value, str) and not value.strip()


def nameless(table: Dataset, column: str) -> list[str]:
    """Notes where a column has numbers or empty texts that are not classes."""
    if declared(table, column) is not None:  # where -1 says so itself
        return []
    below = sorted(value for value in values(table, column) if isinstance(value, int) and value < 0)
    notes = [f"{', '.join(map(str, below[:3]))} in the column {column} is treated as no label"] if below else []
    blank = sum(any(is_blank(one) for one in (cell if isinstance(cell, list) else [cell])) for cell in cells(table, column))
    return notes + ([f"the column {column} holds an empty text in {blank} of {len(table)} rows, treated as no label"] if blank else [])


def passed_over(table: Dataset, usual: tuple[str, ...], holds: Callable[[pa.DataType], bool]) -> list[str]:
    """A note where columns that are called as labels usually are cannot be labels."""
    types = {column.name: column.type for column in table.features.arrow_schema}
    unfit = [f"{column} ({types[column]})" for column in usual if column in types and not holds(types[column])]
    how = "labels are whole numbers, words, or lists of these; cast it, or name another column with data.label_column"
    return [f"the column {', '.join(unfit)} is ignored: {how}"] if unfit else []


def class_names(table: Dataset, column: str) -> tuple[str, ...]:
    """Names of the classes in a column: those it declares, else its values in order."""
    names = declared(table, column)
    return tuple(str(name) for name in (sorted(filter(is_class, values(table, column))) if names is None else names))


def class_numbers(table: Dataset, column: str, classes: tuple[str, ...]) -> np.ndarray:
    """The place of each row's class among ``classes``, int64; -1 where it has none."""
    number = numbering(table, column, classes)
    return np.array([number.get(cell, -1) for cell in cells(table, column)], dtype=np.int64)


def class_lists(table: Dataset, column: str, classes: tuple[str, ...]) -> list[np.ndarray | None]:
    """The places of each row's classes among ``classes``, without those that are not there; None where the row tells nothing."""
    number = numbering(table, column, classes)
    return [None if cell is None else known(number, cell) for cell in cells(table, column)]


def known(number: dict[Any, int], cell: Iterable[Any]) -> np.ndarray:
    """The places of the classes in a cell that have one."""
    return np.array([number[value] for value in cell if number.get(value, -1) >= 0], dtype=np.int32)


def numbering(table: Dataset, column: str, classes: tuple[str, ...]) -> dict[Any, int]:
    """Each value in a column to the place of its class among ``classes``; -1 for none."""
    names = declared(table, column)
    named = dict(enumerate(names)) if names is not None else {value: str(value) for value in values(table, column)}
    place = {name: number for number, name in enumerate(classes)}
    return {value: place.get(name, -1) for value, name in named.items() if is_class(value)}


def unknown(table: Dataset, column: str, classes: tuple[str, ...]) -> list[tuple[int, str]]:
    """The rows with a class that is not among ``classes``, each with its name; a row of lists may come more than once."""
    number, names, several = numbering(table, column, classes), declared(table, column), is_several(table, column)
    return [
        (row, names[value] if names is not None and value < len(names) else str(value))
        for row, cell in enumerate(cells(table, column))
        for value in ((cell or ()) if several else (cell,))
        if is_class(value) and number.get(value, -1) < 0
    ]

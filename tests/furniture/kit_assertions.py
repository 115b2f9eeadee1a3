"""Which assertions a package of checks has, and whether its tests expect each: `kit_examples.caught` looks for the words of its message."""

import ast
from pathlib import Path

import pytest


def assertions(package):
    """Of each assertion in a folder of checks, and each AssertionError that it raises, the texts that its message is made of."""
    for path in sorted(Path(package).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            message = node.msg if isinstance(node, ast.Assert) else None
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "") == "AssertionError":
                (message,) = node.exc.args
            if message is not None:
                texts = [part.value for part in ast.walk(message) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
                yield pytest.param(texts, id=f"{path.name}:{node.lineno}")
            else:
                assert not isinstance(node, ast.Assert), f"{path.name}:{node.lineno} says nothing"


def expected(tests):
    """All ten letters that stand together in some text of the kit's tests in a folder."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(Path(tests).glob("test_kit*.py"))]
    return tens(node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def tens(texts):
    """All ten letters that stand together in some text."""
    return {text[i : i + 10] for text in texts for i in range(len(text) - 9)}

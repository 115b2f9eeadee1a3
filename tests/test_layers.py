"""The layer rules of the design: who may import what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "iwm_core").rglob("*.py"))
PLUGINS = sorted(p for p in (ROOT / "plugins").glob("*/iwm_*/**/*.py"))
NAMES = sorted(p.name.replace("-", "_") for p in (ROOT / "plugins").iterdir() if p.is_dir())

OWNERS = {
    "hydra": {"compose.py", "change.py", "overrides.py", "own_settings.py"},
    "omegaconf": {"compose.py", "change.py", "overrides.py", "own_settings.py", "thaw.py", "typed.py", "run.py", "new_run.py", "cli.py"},
    "accelerate": {"launch.py"},
    "timm": {"encoder.py", "tuning/augment.py"},
    "datasets": {"data/hub.py", "data/columns.py"},
    "pluggy": {"hookspecs.py", "plugins.py", "__init__.py"},
    "matplotlib": {"report/svg.py", "report/drawing.py", "report/tradeoff.py"},
    "jinja2": {"report/environment.py"},
}
"""Which files of the core may import each library."""

PUBLIC = {
    "iwm_core",
    *("iwm_core.interfaces", "iwm_core.interfaces.events", "iwm_devkit"),
    *("iwm_core.evaluation.intervals", "iwm_core.evaluation.bootstrap", "iwm_core.evaluation.jackknife"),
    *("iwm_vit.predictors", "iwm_core.data.resample", "iwm_core.training.health", "iwm_core.model.planning"),
}
"""What plugins may import: the interfaces, the test kit, and building blocks."""


def imports(path: Path) -> set[str]:
    """Modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
    return found


def test_there_is_something_to_check():
    assert len(CORE) > 20
    assert len(PLUGINS) > 10


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_core_never_imports_or_names_a_plugin(path):
    text = path.read_text(encoding="utf-8")
    for name in NAMES:
        assert name not in text
        assert name.replace("_", "-") not in text


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_libraries_stay_in_their_rooms(path):
    inside = path.relative_to(ROOT / "iwm_core").as_posix()
    for module in imports(path):
        library = module.split(".")[0]
        assert library not in OWNERS or inside in OWNERS[library], f"{inside} imports {library}"


def test_interfaces_import_torch_and_jaxtyping_only():
    modules = set().union(*(imports(path) for path in (ROOT / "iwm_core" / "interfaces").glob("*.py")))
    assert {m.split(".")[0] for m in modules} - set(sys.stdlib_module_names) == {"torch", "jaxtyping", "iwm_core"}
    own = {m for m in modules if m.startswith("iwm_core") and not m.startswith("iwm_core.interfaces.")}
    assert own == {
        "iwm_core.interfaces.component",
        "iwm_core.interfaces.constant",
        "iwm_core.interfaces.draws",
        "iwm_core.interfaces.near",
        "iwm_core.interfaces.results",
    }


@pytest.mark.parametrize("path", PLUGINS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_plugins_import_only_what_is_public(path):
    own = path.relative_to(ROOT / "plugins").parts[1]
    for module in imports(path):
        if module.split(".")[0].startswith("iwm_") and module.split(".")[0] != own:
            assert module in PUBLIC or module.startswith("iwm_vit.predictors."), f"{path} imports {module}"


def test_help_and_plugins_do_not_import_torch():
    code = (
        "import sys\nfrom iwm_core.cli.main import dispatch\nfrom iwm_core.plugins.loader import load_plugins\n"
        "for words in (['--help'], *([*verb.split(), '--help'] for verb in load_plugins().commands), ['plugins'], ['plugins', '--json']):\n"
        "    assert dispatch(words) == 0\n"
        "assert not {'torch', 'hydra', 'timm', 'datasets', 'accelerate'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_importing_any_module_touches_neither_files_nor_randomness(tmp_path):
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in CORE if p.name != "__init__.py"]
    code = (
        "import importlib, os, torch\nstate, environment = torch.get_rng_state(), dict(os.environ)\n"
        f"for name in {names!r}:\n    importlib.import_module(name)\n"
        "assert torch.equal(torch.get_rng_state(), state)\n"
        "changed = {k for k in os.environ if os.environ[k] != environment.get(k)}\n"
        "assert not {k for k in changed if 'IWM' in k or 'ACCELERATE' in k}, changed\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []

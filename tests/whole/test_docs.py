"""The documentation: it builds without a warning, its links lead somewhere, its commands compose, its examples run, its table is fresh."""

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import iwm_devkit as testing
import pytest
import torch
from asked_by import asked_by
from iwm_bench.command_line import read_arguments
from iwm_cluster.sweep import expand
from iwm_devkit.completion.shells import SHELLS
from iwm_interop.importing.command_line import TOLD, check_overrides, said
from iwm_repro.command_line import read_arguments as read_claims
from iwm_tasks.comparison.arguments import prefix_of, read_protocols, read_seeds
from places import ROOT

import iwm_core
from iwm_core import interfaces
from iwm_core.cli.main import dispatch, verb_in
from iwm_core.cli.switches import read_switches
from iwm_core.cli.words import read_recipe
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.world_model import build_model
from iwm_core.plugins.loader import Plugin, load_plugins
from iwm_core.recipe.compose import compose, left_open
from iwm_core.recipe.overrides import ON_RESUME, checkpoint_in
from iwm_core.recipe.thaw import thaw
from iwm_core.training.change import change

DOCS = ROOT / "docs"
THEIRS = DOCS / "writing-plugins.md"  # whose blocks have tests of their own
SKETCH = DOCS / "design.md"  # whose Python is no Python
PAGES = sorted(DOCS.rglob("*.md"))
OTHERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("plugins/*/README.md"))]
FENCE = re.compile(r"^(`{3,}|:{3,})(.*?)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"]\(([^)#\s]*)(?:#([^)\s]*))?\)")
MIRROR = re.compile(r"This page is \[[^]]*]\(([^)]*)\) of the repository\.\s*")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def text_of(page: Path) -> str:
    """What a page shows: of a page that stands for another file, that file's text."""
    text = page.read_text(encoding="utf-8")
    mirror = MIRROR.fullmatch(text)
    return (page.parent / mirror[1]).read_text(encoding="utf-8") if mirror else text


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [content for _, head, content in FENCE.findall(page.read_text(encoding="utf-8")) if head.strip() == language]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}


# --- links, and the site


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=relative)
def test_links_and_images_lead_somewhere(page):
    content = FENCE.sub("", page.read_text(encoding="utf-8"))
    images = [(head.split()[-1], "") for _, head, _ in FENCE.findall(page.read_text(encoding="utf-8")) if head.startswith("{image}")]
    for target, anchor in [*LINK.findall(re.sub(r"`[^`\n]*`", "", content)), *images]:
        if re.match(r"\w+:", target):
            continue
        file = page.parent / target if target else page
        assert file.exists(), f"{relative(page)} links to {target}, which is not there"
        assert not anchor or anchor in anchors(file), f"{relative(page)} links to {target}#{anchor}; its headings: {sorted(anchors(file))}"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    words = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "trees"), str(DOCS)]
    built = subprocess.run([*words, str(tmp_path / "site")], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    assert built.stderr.strip() == ""
    for page in PAGES:
        assert (tmp_path / "site" / page.relative_to(DOCS).with_suffix(".html")).is_file()
    html = (tmp_path / "site" / "api" / "interfaces.html").read_text(encoding="utf-8")
    assert 'id="iwm_core.interfaces.Transformation.sample"' in html, "docstrings are in it"
    readme = (tmp_path / "site" / "readme.html").read_text(encoding="utf-8")
    assert 'href="plugins/iwm-tasks.html"' in readme, "links of mirrored files lead to pages"


@pytest.mark.parametrize(("module", "page", "pattern"), [(interfaces, "interfaces", "[A-Za-z]"), (testing, "testing", "check_")])
def test_the_api_pages_name_all_that_is_public(module: ModuleType, page: str, pattern: str):
    text = (DOCS / "api" / f"{page}.md").read_text(encoding="utf-8")
    things = {name: getattr(module, name) for name in dir(module) if re.match(pattern, name)}
    public = {name for name, thing in things.items() if not isinstance(thing, ModuleType)}
    shown = {name.rpartition(".")[2] for name in re.findall(r"^\.\. (?:auto|py:)\w+:: (\S+)$", text, re.MULTILINE)}
    assert len(public) > 5
    assert not public - shown, f"add to docs/api/{page}.md, under its kind: {', '.join(sorted(public - shown))}"


def test_every_evaluator_is_explained():
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    headings = " ".join(re.findall(r"^### .*$", text, re.MULTILINE))
    ours = {name for name, entry in load_plugins().entries("evaluator").items() if entry.plugin.distribution == "iwm-evals"}
    missing = [name for name in sorted(ours) if f"`{name}`" not in headings]
    assert not missing, f"docs/metrics.md explains each evaluator under a heading with its name; there is none for {', '.join(missing)}"


def test_the_table_of_components_is_fresh():
    spec = importlib.util.spec_from_file_location("make_components", DOCS / "make_components.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    load_plugins.cache_clear()
    fresh = maker.page() == (DOCS / "components.md").read_text(encoding="utf-8")
    assert fresh, "docs/components.md is stale: run `python docs/make_components.py`"


# --- commands


def commands(page: Path) -> list[list[str]]:
    """The words of each line in a bash block that begins with iwm, or has it after &&."""
    lines = [part.strip() for block in blocks(page, "bash") for line in block.splitlines() for part in line.split("&&")]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("iwm ")]


def kept_as_file(words: list[str]) -> list[str]:
    """The words of a command without ``> mine.yaml``; a recipe's file that they name is there, as if a reader had made it."""
    files = [word.removeprefix("recipe=") for word in words if re.fullmatch(r"recipe=\S+\.yaml", word)]
    for path in map(Path, files):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("defaults: [quickstart, _self_]\n", encoding="utf-8")
    return words[: words.index(">")] if ">" in words else words


WITH_COMMANDS = [page for page in [*PAGES, ROOT / "README.md"] if page != THEIRS and commands(page)]


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=relative)
def test_commands_in_pages_compose(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_plugins.cache_clear()
    made = [words[3] for words in commands(page) if words[1:3] == ["plugins", "new"]]
    for words in commands(page):
        verb = next(name for name in (" ".join(words[1:3]), words[1]) if name in CHECKS)
        rest = words[1 + len(verb.split()) :]
        for name in made:  # what the reader has written by then, and we have not
            rest = [word.replace(f",{name}]", "]") for word in rest]
        CHECKS[verb](kept_as_file(rest))
    capsys.readouterr()


@pytest.mark.parametrize("verb", load_plugins().commands)
def test_commands_in_help_compose(verb, capsys):
    load_plugins.cache_clear()
    for line in load_plugins().commands[verb].examples:
        words = shlex.split(line)
        own = verb.split()
        assert words[: 1 + len(own)] == ["iwm", *own]
        CHECKS[verb](kept_as_file(words[1 + len(own) :]))
    capsys.readouterr()


def test_the_gallery_shows_every_plugin_and_component():
    text = (DOCS / "plugins/index.md").read_text(encoding="utf-8")
    for folder in [*(ROOT / "plugins").iterdir(), Path("iwm")]:
        assert f"| [{folder.name}]({folder.name}.md) |" in text
    for plugin in (plugin for plugin in load_plugins().plugins if plugin.distribution.startswith("iwm-")):
        row = next((line for line in text.splitlines() if line.startswith(f"| [{plugin.distribution}]")), "")
        for kind in load_plugins().kinds:
            for name, entry in load_plugins().entries(kind).items():
                assert entry.plugin.distribution != plugin.distribution or f"`{name}`" in row, name


def check_train(words: list[str]) -> None:
    many = "-m" in words
    verb, words = verb_in(["train", *words], load_plugins().commands)
    name, overrides = read_recipe(read_switches(load_plugins().commands[verb], words)[0], many)
    jobs = expand(overrides) if many else [overrides]
    assert (len(jobs) > 1) == many
    places = [check_recipe(name, job).run for job in (jobs[0], jobs[-1])[: 1 + many]]
    assert not many or places[0] is None or places[0] != places[1], "each job needs a directory of its own"


def check_recipe(name: str, overrides: list[str], data: str = ""):
    return checked_recipe(name, tuple(overrides), data)


@cache  # pages repeat each other's commands
def checked_recipe(name: str, overrides: tuple[str, ...], data: str):
    config, _ = compose(name, list(overrides), {"data": {"world_model": {"name": data}}} if data else None)
    return None if left_open(config) else thaw(config)


def check_tune(words: list[str]) -> None:
    run, *rest = words
    assert "=" not in run
    name, overrides = read_recipe(rest)
    assert check_recipe(name, overrides, "scenes")


def check_compare(words: list[str]) -> None:
    run, *rest = read_switches(load_plugins().commands["compare"], words)[0]
    assert "=" not in run
    single = dict(word.split("=", 1) for word in rest if word.startswith(("protocols=", "seeds=", "run=")))
    read_seeds(single.get("seeds", "3"))
    overrides = [word for word in rest if word.partition("=")[0] not in single]
    for name in read_protocols(single.get("protocols", "[predictor]")):
        own = [word.removeprefix(f"{name}:") for word in overrides if prefix_of(word) in ("", name)]
        assert check_recipe(f"tune/{name}", own, "scenes")


def check_change(verb: str, allowed: tuple[str, ...], words: list[str]) -> None:
    run, *overrides = words
    assert "=" not in run
    thaw(change(quickstart(), checkpoint_in(overrides)[1], allowed, verb))


@cache
def quickstart():
    return compose("quickstart", [])[0]


CHECKS = {
    "train": check_train,
    "train -m": lambda words: check_train(["-m", *words]),
    "show": lambda words: check_recipe(*read_recipe(words)),
    "tune": check_tune,
    "compare": check_compare,
    "resume": lambda words: check_change("resume", ON_RESUME, words),
    "eval": lambda words: check_change("eval", ("evaluators", *ON_RESUME), words),
    "recipes": lambda words: dispatch(["recipes", *words]),
    "components": lambda words: dispatch(["components", *words]),
    "report": lambda words: check_paths(words),
    "watch": lambda words: check_paths(words),
    "predict": lambda words: check_paths(words),
    "bench": lambda words: check_bench(words),
    "submit": lambda words: check_submit(words),
    "reproduce": lambda words: asked_by("reproduce", read_claims, words),
    "explore": lambda words: check_paths(words),
    "export": lambda words: check_paths(words),
    "features": lambda words: check_paths(words),
    "import": lambda words: check_import(words),
    "push": lambda words: check_paths(words),
    "zoo": lambda words: dispatch(["zoo", *words]),
    "plugins": lambda words: dispatch(["plugins", *words]),
    "completion": lambda words: check_shell(*words),
    "plugins new": lambda words: read_switches(load_plugins().commands["plugins new"], words),
    "plugins check": lambda words: None,  # of a plugin that is not installed here
}


def check_bench(words: list[str]) -> None:
    absent = {words.index(switch) for switch in ("--compare", "--ijepa") if switch in words}  # what they name is not here
    asked = asked_by("bench", read_arguments, [word for place, word in enumerate(words) if not {place, place - 1} & absent])
    check_recipe(asked.recipe, asked.overrides)


def check_submit(words: list[str]) -> None:
    verb, *rest = read_switches(load_plugins().commands["submit"], words)[0]
    CHECKS[verb](rest)


def check_import(words: list[str]) -> None:
    of, file, run, *settings = words
    assert not any("=" in place for place in (file, run))
    check_overrides(of, said("recipe", settings), [word for word in settings if word.partition("=")[0] not in TOLD])


def check_shell(shell: str) -> None:
    assert shell in SHELLS


def check_paths(words: list[str]) -> None:
    assert [word for word in words if "=" not in word], "it needs a run"


# --- examples


@pytest.mark.parametrize("page", [page for page in PAGES if page not in (THEIRS, SKETCH) and blocks(page, "python")], ids=relative)
def test_python_blocks_compile(page):
    for block in blocks(page, "python"):
        compile(block, relative(page), "exec")


def test_the_recipe_of_ones_own_composes(tmp_path):
    """The module and the file of the page, put where it says."""
    page = DOCS / "recipes.md"
    (module,), (_, recipe) = blocks(page, "python"), blocks(page, "yaml")
    package = tmp_path / "iwm_mine"
    (package / "recipes" / "mine").mkdir(parents=True)
    (package / "recipes" / "mine" / "bright.yaml").write_text(recipe, encoding="utf-8")
    names = {"__file__": str(package / "__init__.py")}
    exec(compile(module, names["__file__"], "exec"), names)
    load_plugins.cache_clear()
    plugins = load_plugins()
    mine = SimpleNamespace(iwm_recipe_dirs=names["iwm_recipe_dirs"])
    plugins.plugins.append(Plugin("mine", "iwm-mine", "0", mine))
    plugins.manager.register(mine)
    try:
        made = thaw(compose("mine/bright", [])[0])
    finally:
        load_plugins.cache_clear()
    assert (made.recipe, list(made.actions), made.actions["jitter"].brightness, made.train.steps) == ("mine/bright", ["jitter"], 0.8, 800)


def test_the_file_that_changes_a_recipe_composes(tmp_path):
    load_plugins.cache_clear()
    file = tmp_path / "mine.yaml"
    file.write_text(blocks(DOCS / "recipes.md", "yaml")[0], encoding="utf-8")
    config, notes = compose(str(file), [])
    made, own = thaw(config), thaw(compose("quickstart", [])[0])
    assert (made.recipe, made.predictor.name, made.actions["jitter"].hue, made.train.seed) == ("mine", "none", 0.4, 1)
    assert (made.encoder, made.train.lr, list(made.actions)) == (own.encoder, own.train.lr, list(own.actions))
    assert notes == []


def test_the_example_of_concepts_runs(monkeypatch):
    """On a model of its recipe that has learned nothing: what is shown are the calls, their shapes and their words."""
    (example,) = blocks(DOCS / "concepts.md", "python")
    recipe = thaw(compose("quickstart", ["encoder.depth=1", "predictor.depth=1"])[0])
    model = FrozenModel(recipe, build_model(recipe).eval().requires_grad_(False), None, 0, torch.device("cpu"))
    monkeypatch.setattr(iwm_core, "load", lambda run: model)
    images = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    names = {"images": images, "others": images.flip(0)}
    exec(compile(example, "concepts.md", "exec"), names)
    assert names["z"].shape == names["imagined"].shape == (2, 9, 96)
    assert list(names["plan"].numbers[0]["jitter"]) == ["brightness", "contrast", "saturation", "hue"]

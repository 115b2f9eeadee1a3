"""``iwm plugins check`` finds what is wrong with an installed plugin, all of it at once, and says how to mend it."""

import json

import pytest
from iwm_devkit.versions import bounds
from one_line import assert_one_line
from plugin_packages import GAIN, HOOKS, package

from iwm_core import __version__
from iwm_core.cli.main import dispatch, guarded
from iwm_core.plugins.loader import load_plugins


@pytest.fixture
def check(site, capsys):
    """Check a plugin; returns the status and, by kind and name, what was found."""

    def run(name):
        load_plugins.cache_clear()
        status = guarded(lambda: dispatch(["plugins", "check", name, "--json"]))
        rows = json.loads(capsys.readouterr().out)
        return status, {(row["kind"], row["name"]): row for row in rows}

    return run


@pytest.fixture
def light(monkeypatch):
    """No interpreters of their own for imports, which take a quarter of a second each."""
    monkeypatch.setattr("iwm_devkit.plugin_check.checks.check_import", lambda point: None)


def test_two_entry_points_of_one_module(site, check, light):
    package(site, "iwm-try-twice", entry_points="[iwm]\none = iwm_try_twice\ntwo = iwm_try_twice\n")
    status, found = check("iwm-try-twice")
    assert status == 1
    assert "names the same module as the entry point 'one'" in found["entry_point", "two"]["problem"]
    assert found["entry_point", "one"]["passed"]


RECIPE = "# Trains a little.\ndefaults: [base, _self_]\n"


@pytest.mark.slow
def test_a_good_plugin_passes(site, check):
    package(site, "iwm-try-good")
    status, found = check("iwm-try-good")
    assert status == 0
    assert list(found) == [
        ("metadata", "iwm-try-good"),
        ("imports", "iwm-try-good"),
        ("entry_point", "good"),
        ("registration", "iwm-try-good"),
        ("hooks", "good"),
        ("hook", "good.iwm_actions"),
        ("action", "gain"),
        ("name", "gain"),
    ]
    for row in found.values():
        assert row["passed"] is True
        assert row["problem"] == ""
        assert (row["distribution"], row["version"]) == ("iwm-try-good", "1.0")
    assert check("good") == (status, found)


def test_people_read_a_line_a_check(site, light, capsys):
    package(site, "iwm-try-plain", needs=None)
    assert guarded(lambda: dispatch(["plugins", "check", "iwm-try-plain"])) == 1
    head, first, *_, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["CHECK", "NAME", "RESULT"]
    assert first.startswith('metadata      iwm-try-plain      FAILED: does not say that it needs iwm-core: add "iwm-core>=')
    assert last == "8 checks, 1 failed"


HERE = bounds(__version__)
LATER = "\n@hookimpl\ndef iwm_recipe_dirs():\n    return ['nowhere']\n"


@pytest.mark.parametrize(
    ("given", "kind", "name", "words"),
    [
        ({"needs": "iwm-core"}, "metadata", "iwm-try-bad", ("no lowest version", f'"iwm-core{HERE}"')),
        ({"needs": "iwm-core<9"}, "metadata", "iwm-try-bad", ("no lowest version",)),
        ({"needs": "iwm-core>=7"}, "metadata", "iwm-try-bad", (f"needs iwm-core>=7, and {__version__}", "pip install")),
        ({"needs": "iwm-core>=0.1; extra == 'all'"}, "metadata", "iwm-try-bad", ("does not say that it needs iwm-core",)),
        ({"needs": "iwm-core>=0.1"}, "metadata", "iwm-try-bad", ("claims to work with iwm-core", HERE)),
        ({"needs": "iwm core = 1"}, "metadata", "iwm-try-bad", ("cannot read the dependency 'iwm core = 1'",)),
        ({"metadata": "Name: iwm-try-bad\n"}, "metadata", "iwm-try-bad", ("no version", "pyproject.toml")),
        ({"hooks": "x = 1\n"}, "registration", "iwm-try-bad", ("brings nothing", "@hookimpl")),
        ({"hooks": HOOKS.replace("@hookimpl", "")}, "hooks", "bad", ("iwm_actions is not a hook without @hookimpl", "@hookimpl")),
        ({"hooks": HOOKS.replace("iwm_actions", "iwm_action")}, "hooks", "bad", ("no hook iwm_action;", "did you mean iwm_actions?")),
        ({"hooks": HOOKS.replace("actions()", "actions(event)")}, "hooks", "bad", ("the argument 'event'", "takes no arguments")),
        ({"hooks": HOOKS + "\n@hookimpl\ndef iwm_step_end(evnt): ...\n"}, "hooks", "bad", ("'evnt'", "is called event")),
        ({"hooks": HOOKS.replace("@hookimpl", "@hookimpl(wrapper=True)")}, "hooks", "bad", ("is a wrapper",)),
        ({"hooks": HOOKS.replace("return [Gain]", "pass")}, "hook", "bad.iwm_actions", ("returned nothing",)),
        ({"hooks": HOOKS.replace("return [Gain]", "return []")}, "hook", "bad.iwm_actions", ("returns no classes",)),
        ({"hooks": HOOKS.replace("return [Gain]", "return Gain")}, "hook", "bad.iwm_actions", ("it must return a list",)),
        ({"hooks": HOOKS.replace("[Gain]", "[Gain()]")}, "hook", "bad.iwm_actions", ("is not a class", "[Gamma]")),
        ({"hooks": HOOKS.replace("[Gain]", "[int]")}, "hook", "bad.iwm_actions", ("int is not a dataclass with a `name`",)),
        (
            {"hooks": HOOKS.replace("actions", "encoders")},
            "hook",
            "bad.iwm_encoders",
            ("Gain is not a subclass of EncoderComponent", "derive it from"),
        ),
        (
            {"hooks": HOOKS.replace("actions", "heads")},
            "hooks",
            "bad",
            ("no hook iwm_heads", "or the plugin that declares it is not installed"),
        ),
        ({"hooks": HOOKS.replace(".gain", ".gian")}, "hook", "bad.iwm_actions", ("ModuleNotFoundError", "gian", "__init__.py:7")),
        ({"gain__py": GAIN.replace("def encode", "def code")}, "hook", "bad.iwm_actions", ("Gain lacks encode",)),
        ({"gain__py": GAIN.replace(".clamp(0, 1)", "")}, "action", "gain", ("in [0, 1]: clamp",)),
        ({"gain__py": GAIN.replace(".exp2()", ".exp3()")}, "action", "gain", ("raises AttributeError", "exp3", "gain.py:24")),
        ({"hooks": HOOKS + LATER}, "hook", "bad.iwm_recipe_dirs", ("'nowhere', which is not a folder",)),
    ],
)
def test_what_is_wrong_is_named(site, check, light, given, kind, name, words):
    package(site, "iwm-try-bad", **given)
    status, found = check("iwm-try-bad")
    assert status == 1
    row = found[kind, name]
    assert row["passed"] is False
    assert [word for word in words if word not in row["problem"]] == [], row["problem"]
    assert "\n" not in row["problem"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nowhere_at_all\n", ("cannot import iwm_try_heavy: ModuleNotFoundError", "correct the entry point")),
        ("raise SystemExit(3)\n", ("cannot import iwm_try_heavy: SystemExit: 3",)),
        ("import torch\n", ("imports torch", "inside the hooks")),
        ("print('hello')\n", ("prints 'hello'", "do nothing at import")),
        (
            "import os\nos._exit(7) if 'iwm_devkit.plugin_check' not in __import__('sys').modules else None\n",
            ("ends Python with status 7",),
        ),
    ],
)
def test_modules_import_lightly(site, check, text, words):
    package(site, "iwm-try-heavy", text + HOOKS)
    status, found = check("iwm-try-heavy")
    assert status == 1
    problem = found["entry_point", "heavy"]["problem"]
    assert [word for word in words if word not in problem] == [], problem


def test_names_that_clash_name_both(site, check, light):
    package(site, "iwm-try-first")
    package(site, "iwm-try-second")
    for name in ("first", "second"):
        status, found = check(f"iwm-try-{name}")
        assert status == 1
        assert "given by both iwm-try-first and iwm-try-second" in found["name", "gain"]["problem"]
        assert found["action", "gain"]["passed"], "the component itself is right"


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ("    where: str = option(doc='a place')\n", "has no default for where; only its documentation is checked here: test it with"),
        ("    def __post_init__(self):\n        raise ValueError('say more')\n", "says of its defaults: say more"),
    ],
)
def test_what_cannot_be_tried_passes_with_a_note(site, check, light, options, note):
    package(site, "iwm-try-choosy", gain__py=GAIN.replace("    def sample", f"{options}\n    def sample"))
    status, found = check("iwm-try-choosy")
    assert status == 0
    assert note in found["action", "gain"]["note"]
    assert "check_action(Gain(" in found["action", "gain"]["note"]


def test_of_what_cannot_be_tried_the_documentation_is_checked(site, check, light):
    package(site, "iwm-try-mute", gain__py=GAIN.replace("    def sample", "    where: str\n\n    def sample"))
    assert "Gain.where needs documentation" in check("iwm-try-mute")[1]["action", "gain"]["problem"]


def test_recipes_compose(site, check, light):
    folder = "\n@hookimpl\ndef iwm_recipe_dirs():\n    from pathlib import Path\n\n    return [Path(__file__).parent]\n"
    wrong = {
        "good__yaml": "# Trains.\ndefaults: [base, _self_]\n",
        "torn__yaml": "# Torn.\na: [\n",
        "lost__yaml": "# Lost.\ndefaults: [base, actions: [gian], _self_]\n",
        "mute__yaml": "defaults: [base, _self_]\n",
    }
    home = package(site, "iwm-try-recipes", HOOKS + folder, **wrong)
    (home / "latin.yaml").write_bytes("# Für.\n".encode("latin-1"))
    (home / "size").mkdir()
    (home / "size" / "mine.yaml").write_text("a: [")
    other = package(site, "iwm-try-more", HOOKS + folder)
    (other / "size").mkdir()
    for place in (home, other):
        (place / "size" / "own.yaml").write_text("a: 1")
    status, found = check("iwm-try-recipes")
    assert status == 1
    problems = {name: row["problem"] for (kind, name), row in found.items() if kind in ("recipe", "choice")}
    assert "the recipe chooses no encoder" in problems["good"]  # none is installed here
    assert "torn.yaml" in problems["torn"]
    assert "gian" in problems["lost"]
    assert "begin it with a comment" in problems["mute"]
    assert "latin.yaml" in problems["latin"]
    assert "not valid YAML" in problems["size/mine"]
    assert "given by both iwm-try-more and iwm-try-recipes" in problems["size/own"]
    assert all("\n" not in problem for problem in problems.values())


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ((), ("say which plugin", "NAME [--json]")),
        (("a", "b"), ("say which plugin",)),
        (("iwm-cora",), ("did you mean iwm-core?", "plugins: iwm, iwm-core, iwm-devkit")),
        (("numpy",), ("numpy is installed, and has no entry point in the group iwm", "[project.entry-points.iwm]")),
        (("iwm-masking",), ("left out by IWM_DISABLED_PLUGINS",)),
    ],
)
def test_wrong_use_is_one_line(site, capsys, words, fix):
    status = guarded(lambda: dispatch(["plugins", "check", *words]))
    assert_one_line((status, capsys.readouterr().err), *fix)


@pytest.mark.parametrize("name", ["iwm-foo", "iwm-gore-plugin", "iwm_zz", "unknown"])
def test_what_is_not_installed_is_no_other_plugin_by_the_prefix_that_all_share(site, capsys, name):
    status = guarded(lambda: dispatch(["plugins", "check", name]))
    error = capsys.readouterr().err
    assert_one_line((status, error), f"no plugin {name!r} is installed; plugins: iwm, iwm-core, iwm-devkit")
    assert "did you mean" not in error


def test_an_entry_point_of_two_distributions_is_ambiguous(site, capsys):
    package(site, "iwm-try-a-same")
    package(site, "iwm-try-b-same")
    status = guarded(lambda: dispatch(["plugins", "check", "same"]))
    assert_one_line((status, capsys.readouterr().err), "of iwm-try-a-same and of iwm-try-b-same", "say which distribution")

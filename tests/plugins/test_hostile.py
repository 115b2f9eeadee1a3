"""Hostile plugins beside a good one, installed as installers do it: the good one works, and each bad one is named with cause and remedy."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from places import FURNITURE
from plugin_packages import GAIN, HOOKS, OURS, package

from iwm_core import hookimpl
from iwm_core.cli.main import dispatch, guarded
from iwm_core.plugins.loader import Plugin, load_plugins

DIRS = "\n@hookimpl\ndef iwm_recipe_dirs():\n    from pathlib import Path\n\n    return [Path(__file__).parent / 'recipes']\n"
TINY = """
from iwm_core import hookimpl


def passed_on(name):
    def hook():
        import tiny_plugin

        return getattr(tiny_plugin, name)()

    return hookimpl(hook)


iwm_data_sources, iwm_predictors = passed_on("iwm_data_sources"), passed_on("iwm_predictors")
iwm_recipe_dirs, iwm_target_selectors = passed_on("iwm_recipe_dirs"), passed_on("iwm_target_selectors")


@hookimpl
def iwm_actions():
    from {module}.gain import Gain

    return [Gain]
"""
BAD = {
    "iwm-try-import": ("import librosa_of_yore\n", "ModuleNotFoundError: No module named 'librosa_of_yore'"),
    "iwm-try-twin": (HOOKS.replace("Gain", "Shine"), "the action 'shine' is given by both iwm-try-good and iwm-try-twin"),
    "iwm-try-spelt": (HOOKS.replace("iwm_actions", "iwm_acttions"), "there is no hook iwm_acttions; did you mean iwm_actions?"),
}
SHINE = GAIN.replace("class Gain", "class Shine").replace('"gain"', '"shine"')


@pytest.fixture
def hostile(tmp_path):
    """The folder of a good plugin, with which the recipe ``tiny`` trains, and of three bad ones."""
    both = TINY.replace("import Gain\n", "import Gain\n    from {module}.shine import Shine\n").replace("[Gain]", "[Gain, Shine]")
    package(tmp_path / "site", "iwm-try-good", both, shine__py=SHINE)
    for name, (text, _) in BAD.items():
        package(tmp_path / "site", name, text, gain__py=SHINE)
    return tmp_path


def command(folder, *words, **environment):
    """Run ``iwm`` as a user does, with no components but those of the folder and of iwm-vit, which the recipe ``tiny`` needs."""
    others = ",".join(
        p.distribution for p in load_plugins().plugins if p.distribution not in (*OURS, "iwm-vit") and "try" not in p.distribution
    )
    path = os.pathsep.join([str(folder / "site"), str(FURNITURE)])
    told = os.environ | {"PYTHONPATH": path, "IWM_DISABLED_PLUGINS": others, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([sys.executable, "-m", "iwm_core.cli", *words], cwd=folder, env=told, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_good_plugin_trains_beside_three_bad_ones(hostile):
    status, out, err = command(hostile, "train", "recipe=tiny", "train.steps=2", "run=run")
    assert status == 0, err
    assert "done: run" in out
    warnings = [line for line in err.splitlines() if line.startswith("iwm: warning: ")]
    assert len(warnings) == len(BAD)
    for name, (_, cause) in BAD.items():
        (line,) = [line for line in warnings if cause in line]
        assert name in line
        assert f"IWM_DISABLED_PLUGINS={name.rpartition('-')[2] if 'given by' not in line else name}" in line
        assert "uninstall" in line


@pytest.mark.slow
def test_they_are_listed(hostile):
    status, out, err = command(hostile, "plugins", "--json")
    assert (status, err) == (0, "")
    problems = {row["distribution"]: row["problem"] for row in json.loads(out)}
    assert problems["iwm-try-good"] == problems["iwm-core"] == ""
    for name in ("iwm-try-import", "iwm-try-spelt"):
        assert BAD[name][1] in problems[name]
        assert f"pip uninstall {name}" in problems[name]


@pytest.mark.parametrize(
    "words", [("plugins",), ("plugins", "check", "iwm-try-good"), ("recipes",), ("components",), ("train", "recipe=tiny")]
)
@pytest.mark.parametrize("name", BAD)
def test_strict_mode_fails(site, capsys, monkeypatch, name, words):
    package(site, "iwm-try-good", HOOKS.replace("Gain", "Shine"), gain__py=SHINE)
    package(site, name, BAD[name][0], gain__py=SHINE)
    monkeypatch.setenv("IWM_STRICT_PLUGINS", "1")
    assert guarded(lambda: dispatch(list(words))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert name in line
    assert BAD[name][1] in line
    assert line.endswith("(IWM_STRICT_PLUGINS=1)")


@pytest.fixture
def iwm(capsys):
    """Run a command line; returns status, output and errors."""

    def run(*words):
        load_plugins.cache_clear()
        status = guarded(lambda: dispatch(list(words)))
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"hooks": "raise SystemExit(3)\n"}, "SystemExit: 3"),
        ({"hooks": "class Odd(BaseException): ...\n\n\nraise Odd('so there')\n"}, "Odd: so there"),
        ({"entry_points": "[iwm]\nbad = iwm_try_nowhere\n"}, "No module named 'iwm_try_nowhere'"),
        ({"entry_points": "[iwm]\nbad = iwm_try_bad:hooks\n"}, "AttributeError"),
        ({"hooks": HOOKS.replace("@hookimpl", "")}, "iwm_actions is not a hook without @hookimpl; write @hookimpl above it"),
        ({"hooks": HOOKS.replace("from {module}.gain import Gain", "raise SystemExit")}, "SystemExit; repair it"),
        ({"hooks": HOOKS.replace("actions", "target_selectors")}, "Gain is not a subclass of TargetSelector"),
        ({"gain__py": GAIN.replace("def encode", "def code")}, "Gain lacks encode"),
        ({"hooks": HOOKS + DIRS}, "recipes', which is not a folder; is it packaged?"),
        ({"hooks": HOOKS + DIRS.replace("[Path(__file__).parent / 'recipes']", "[3]")}, "iwm_recipe_dirs gives '3'"),
    ],
)
def test_whatever_a_plugin_does_is_told_and_hurts_nobody(site, iwm, given, cause):
    package(site, "iwm-try-bad", **given)
    package(site, "iwm-try-good", gain__py=SHINE, hooks=HOOKS.replace("Gain", "Shine"))
    status, out, err = iwm("components", "action")
    assert status == 0
    assert "iwm-try-good" in out
    (line,) = err.splitlines()
    assert cause in line
    assert "iwm-try-bad 1.0 does not work" in line
    assert iwm("recipes")[0] == 0


def test_of_two_that_clash_neither_wins(site, iwm):
    package(site, "iwm-try-good")
    package(site, "iwm-try-twin")
    status, out, err = iwm("components", "action", "--json")
    assert (status, json.loads(out)) == (0, [])
    assert err.startswith("iwm: warning: the action 'gain' is given by both iwm-try-good and iwm-try-twin; uninstall one")
    assert len(err.splitlines()) == 1


def test_ctrl_c_is_no_problem_of_a_plugin(site):
    package(site, "iwm-try-slow", "raise KeyboardInterrupt\n")
    load_plugins.cache_clear()
    with pytest.raises(KeyboardInterrupt):
        load_plugins()


@pytest.mark.parametrize("metadata", ["Name: iwm-try-bare\n", ""], ids=["no version", "nothing"])
def test_metadata_that_lacks_everything(site, iwm, metadata):
    package(site, "iwm-try-bare", metadata=metadata)
    status, out, err = iwm("plugins", "--json")
    assert (status, err) == (0, "")
    row = next(row for row in json.loads(out) if row["name"] == "bare")
    assert row["distribution"] == ("iwm-try-bare" if metadata else "unknown")
    assert row["version"] == "unknown"


def test_two_entry_points_of_one_module_do_not_harm_each_other(site, iwm):
    package(site, "iwm-try-good")
    package(site, "iwm-try-thief", entry_points="[iwm]\nthief = iwm_try_good\n")
    status, out, err = iwm("components", "action")
    assert (status, "gain" in out) == (0, True)
    assert "iwm-try-thief" in err


def test_one_name_may_be_of_two_kinds(site, iwm):
    both = HOOKS + "\n@hookimpl\ndef iwm_target_selectors():\n    from kit_examples import Halves\n\n    return [Halves]\n"
    package(site, "iwm-try-halves", both, gain__py=GAIN.replace('"gain"', '"halves"'))
    status, out, err = iwm("components")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if " halves " in line] == ["action", "target_selector"]


def recipe_folder(home, **files):
    """The folder that `DIRS` brings."""
    for name, text in files.items():
        path = home / "recipes" / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_recipes_that_clash_name_both_and_the_others_work(site, iwm):
    for name in ("one", "two"):
        folder = package(site, f"iwm-try-{name}", HOOKS + DIRS, gain__py=GAIN.replace("gain", name))
        recipe_folder(folder, mine="# Mine.\ndefaults: [base, _self_]\n", size__cpu="a: 1\n", **{name: "# Another.\n"})
    status, out, err = iwm("recipes", "--json")
    assert status == 0
    names = [row["name"] for row in json.loads(out)]
    assert {"one", "two", "quickstart"} <= set(names)
    assert "mine" not in names
    assert {line.partition("; ")[0] for line in err.splitlines()} == {
        "iwm: warning: the recipe 'mine' is given by both iwm-try-one and iwm-try-two",
        "iwm: warning: the ready-made choice 'size/cpu' is given by iwm, iwm-try-one and iwm-try-two",
    }
    assert iwm("show", "recipe=mine") == (
        2,
        "",
        "iwm: the recipe 'mine' is given by both iwm-try-one and iwm-try-two; uninstall one, or set IWM_DISABLED_PLUGINS=iwm-try-two\n",
    )


def test_a_plugin_that_brings_a_recipe_twice_is_told(site, iwm):
    twice = DIRS.replace("[Path(__file__).parent / 'recipes']", "[Path(__file__).parent / 'recipes'] * 2")
    recipe_folder(package(site, "iwm-try-twice", HOOKS + twice), mine="# Mine.\n")
    assert "the recipe 'mine' is given twice by iwm-try-twice; rename one of the two" in iwm("recipes")[2]


@pytest.mark.parametrize("text", [b"# Torn.\na: [\n", "# Für.\n".encode("latin-1"), b"# A list.\n- a\n", b"\x00\x01\x02", b""])
def test_files_that_are_no_recipes_hurt_nobody(site, iwm, text):
    folder = package(site, "iwm-try-torn", HOOKS + DIRS)
    recipe_folder(folder, torn=text)
    (folder / "recipes" / "gone.yaml").symlink_to(folder / "nowhere")
    (folder / "recipes" / "folder.yaml").mkdir()
    status, out, err = iwm("recipes")
    assert (status, err) == (0, "")
    assert "quickstart" in out
    status, out, err = iwm("show", "recipe=torn")
    assert status == 2
    (line,) = err.splitlines()
    assert "torn" in line or "the recipe chooses no" in line or line.startswith("iwm: actions holds no components by their names")


@pytest.mark.parametrize("hook", ["iwm_train_start", "iwm_step_end", "iwm_train_end"])
@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), SystemExit(0)], ids=["error", "exit"])
def test_a_listener_that_fails_ends_the_run_which_can_go_on(tiny, capsys, hook, error):
    def listen(event):
        if getattr(event, "step", 3) in (0, 3, 6):
            raise error

    module = SimpleNamespace(**{hook: hookimpl(listen)})
    tiny.plugins.append(Plugin("ears", "iwm-try-ears", "1.0", module))
    tiny.manager.register(module)
    words = ["train", "recipe=tiny", "run=run", "train.steps=6", "train.checkpoint_every=2"]
    assert guarded(lambda: dispatch(words)) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"plugin 'ears' of iwm-try-ears 1.0 failed in {hook}: {type(error).__name__}: " in line
    assert "IWM_DISABLED_PLUGINS=ears, then go on with `iwm resume RUN`" in line
    tiny.manager.unregister(module)
    assert guarded(lambda: dispatch(["resume", "run"])) == 0
    steps = [json.loads(text)["step"] for text in Path("run/metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 6

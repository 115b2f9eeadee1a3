"""``iwm completion``: what each shell is given holds all that can be typed, of third parties too, and bash completes with it at once."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest
from iwm_devkit.advice.own_settings import keys_of
from iwm_devkit.completion.shells import SHELLS
from iwm_devkit.completion.table import table

from iwm_core.cli.main import dispatch, guarded
from iwm_core.plugins.kinds import schemas
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import find_recipes


def script(capsys, shell="bash"):
    assert guarded(lambda: dispatch(["completion", shell])) == 0
    return capsys.readouterr().out


def test_all_that_can_be_typed_is_in_the_table(tiny):
    lists = {}
    for line in table():
        name, _, word = line.partition("|")
        lists.setdefault(name, set()).add(word)
    assert {name.split()[0] for name in load_plugins().commands} < lists["iwm"]
    assert {f"recipe={name}" for name in find_recipes()} <= lists["show"]
    assert "recipe=tune/predictor" in lists["tune"] - lists["train"]
    settings = set().union(*(words for name, words in lists.items() if name.startswith("set:")))
    keys = {word.partition("=")[0] for word in settings}
    assert {key for schema in schemas() for key in keys_of(schema) if not any(other.startswith(f"{key}.") for other in keys)} <= keys
    for kind, component in load_plugins().kinds.items():
        names = set(load_plugins().entries(kind))
        assert names == lists[f"components {kind}"]
        begin = f"{component.group}={'[' * component.several}"
        assert {f"{begin}{name}" for name in names} <= settings or component.group not in {key.partition(".")[0] for key in keys}
    assert {"actions=[gain", "actions.gain.strength=", "predictor=shift"} <= settings, "of a plugin of somebody else"
    assert {"launch.precision=bf16", "launch.compile=true", "launch.trackers=[wandb", "size=gpu", "train.lr.peak="} <= settings
    assert lists["export --format"] == {"timm", "transformers", "safetensors", "torch", "onnx"}
    assert {"new", "check", "--json"} <= lists["plugins"]
    assert lists["plugins new --kind"] == {"@kinds"}
    assert lists["explore --port"] == {"@value"}, "no switch stands where the value of another is awaited"


@pytest.mark.parametrize("words", [[], ["tcsh"], ["bash", "zsh"], ["basch"]])
def test_mistakes_get_a_line(words, capsys):
    assert guarded(lambda: dispatch(["completion", *words])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("iwm completion bash|zsh|fish")
    assert ("did you mean bash?" in line) == (words == ["basch"])


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_holds_the_table_as_one_quoted_text(tiny, capsys, shell):
    text = script(capsys, shell)
    assert "@TABLE@" not in text
    assert "@AWK@" not in text
    quoted = text.split("'")[1]
    assert quoted.splitlines() == table()
    assert text.split("'")[3].startswith("# Chooses")
    assert "\\t" not in quoted


CASES = {
    "iwm tr": ["train"],
    "iwm train recipe=quick": ["quickstart"],
    "iwm train recipe=quickstart predictor=fea": ["feature"],
    "iwm train recipe=quickstart actions=[jitter,gra": ["[jitter,grayscale"],
    'iwm train "actions=[jitter,gra': ["actions=[jitter,grayscale"],
    "iwm train train.lr.p": ["train.lr.peak="],
    "iwm train launch.precision=b": ["bf16"],
    "iwm train tra": ["train."],
    "iwm resume runs/a launch.acc": ["launch.accumulate="],
    "iwm export runs/a --format on": ["onnx"],
    "iwm export runs/a --format=on": ["onnx"],
    "iwm export runs/a --format=t": ["timm", "transformers", "torch"],
    "iwm plugins new x --kind=enc": ["encoder"],
    "iwm export runs/a --format=torch --he": ["--help"],
    "iwm explore runs/a --port=": [],
    "iwm components act": ["action"],
    "iwm components action ga": ["gain"],
    "iwm plugins new x --kind enc": ["encoder"],
    "iwm submit --partition gpu train recipe=quick": ["quickstart"],
    "iwm completion f": ["fish"],
    "iwm report --he": ["--help"],
    "iwm explore runs/a --port ": [],
    "iwm submit --time ": [],
    "iwm nonsense ": [],
}


@pytest.mark.slow
def test_bash_completes_all_kinds_of_words_in_no_time(tiny, tmp_path, capsys):
    (tmp_path / "iwm.bash").write_text(script(capsys))
    asks = "".join(f"ask {line!r}\n" for line in CASES)
    code = f"""source ./iwm.bash; compopt() {{ :; }}
ask() {{ COMP_LINE="$1"; COMP_POINT=${{#1}}; _iwm; echo "${{COMPREPLY[*]}}"; }}
{asks}"""
    begun = time.perf_counter()
    found = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert dict(zip(CASES, (line.split() for line in found.stdout.splitlines()), strict=True)) == CASES
    assert found.stderr == ""
    assert (time.perf_counter() - begun) / len(CASES) < 0.3


@pytest.mark.slow
def test_a_tab_in_bash_itself(tiny, tmp_path, capsys):
    (tmp_path / "iwm.bash").write_text(script(capsys))
    (tmp_path / "runs").mkdir()
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], {"PATH": os.environ["PATH"], "TERM": "dumb", "PS1": "$ "})

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 500, 0, 0))  # a line that is not broken

    def seen(keys, until):
        os.write(terminal, keys.encode())
        text, end = "", time.monotonic() + 60
        while until not in text:
            assert time.monotonic() < end, text
            if select.select([terminal], [], [], 0.1)[0]:
                text += os.read(terminal, 65536).decode(errors="replace")
        return re.sub(r"[\x07\r]", "", text)

    seen("source ./iwm.bash; echo READY$((1))\n", "READY1")
    for keys, line in {
        "iwm tra\t": "iwm train ",
        "recipe=quicks\t": "recipe=quickstart ",
        "predictor=fe\t": "predictor=feature ",
        "launch.prec\tbf\t": "launch.precision=bf16 ",
        '"actions=[jitter,gra\t': '"actions=[jitter,grayscale"',
        " data.path=ru\t": "data.path=runs/",
    }.items():
        seen(keys, line)
    os.write(terminal, b"\x03exit\n")
    os.close(terminal)
    os.waitpid(process, 0)

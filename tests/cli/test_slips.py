"""The slips that newcomers make most: each is answered with the words to type, most of them before torch is imported."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from iwm_tasks.comparison.anchored import anchor_words
from one_line import assert_one_line

from iwm_core.process.shown import LONGEST
from iwm_core.recipe.compose import compose
from iwm_core.recipe.overrides import parse, quoted
from iwm_core.run.anchor import anchor
from iwm_core.run.directory import Run

QUICK = [
    ("trian", "did you mean iwm train?"),
    ("recipe=quickstart", "write iwm train recipe=quickstart"),
    ("train quickstart", "write recipe=quickstart"),
    ("train recipe=quikstart", "did you mean recipe=quickstart?"),
    ("train recipe=./my.yaml", "recipe=./my.yaml does not exist; `iwm recipes` lists installed ones"),
    ("train recipe=./my", "the name of a recipe's file ends with .yaml: recipe=./my.yaml"),
    ("train my.yaml", "write recipe=my.yaml"),
    ("train recipe=quickstart train.lr=1e-3", "write train.lr.peak=0.001"),
    ("train recipe=quickstart train.weight_decay=0.1", "train.weight_decay is a section with the keys start, end"),
    ("train recipe=quickstart train.lr.warmup=soon", 'such as 500 (steps) or "15 epochs"'),
    ("train recipe=quickstart train.epochs=2", "write train.epochs=2 train.steps=null"),
    ("train recipe=repro/imagenette train.epochs=2", "the recipe has train.steps=16000"),
    ("train recipe=repro/imagenette size=gpu train.steps=2", "write train.steps=2 train.epochs=null"),
    ("train recipe=paper/ijepa_vitb16 train.steps=2", "write train.steps=2 train.epochs=null"),
    ("tune r recipe=tune/predictor budget=cpu train.steps=9", "the recipe has train.epochs=10"),
    ("compare r predictor:train.steps=2 protocols=[predictor]", "the recipe has train.epochs=100"),
    ("train recipe=quickstart actions=jitter,blur", '"actions=[jitter,blur]"'),
    ("train recipe=quickstart train.seed=0,1", "iwm train -m recipe=quickstart train.seed=0,1"),
    ("train recipe=quickstart launch=6", "launch.processes=6"),
    ("train recipe=quickstart launch=gpuu", "did you mean launch=gpu?"),
    ("train recipe=quickstart data.name=2", "data=NAME, not data.name=2"),
    ("train recipe=quickstart evaluators.mrr.name=2", "evaluators=[NAME]"),
    ("train recipe=quickstart train.steps 3", "write train.steps=3"),
    ("train recipe=quickstart train.steps = 3", "without spaces"),
    ("train recipe=quickstart train.steps= 3", "write train.steps=3"),
    ("train recipe=quickstart --train.steps=3", "write train.steps=3, without dashes"),
    ("train recipe=quickstart train.steps:3", "write train.steps=3"),
    ("train recipe=quickstart train.steps=[", "write key=value"),
    ("train recipe=quickstart train.steps@x=3", "without @"),
    ("train recipe=quickstart train.batch_size=1e3", "write train.batch_size=1000"),
    ("train recipe=quickstart train.betas=0.9", '"train.betas=[0.9,0.999]"'),
    ("train recipe=quickstart train.batch_size=null", "write train.batch_size=128"),
    ("train recipe=quickstart train.epochs=" + "9" * 400, "train has a number that is too large"),
    ("train recipe=quickstart train.lr.peak=nan", "must be a finite number"),
    ("train recipe=quickstart train.lr.peak=-1", "train.lr.peak must be at least 0"),
    ("train recipe=quickstart launch.precision=fp16", "one of fp32, bf16"),
    ("train recipe=quickstart view.canvas=big", "view.canvas is a whole number or null"),
    ("train recipe=quickstart trian.steps=3", "did you mean train.steps=3?"),
    ("train recipe=quickstart peak=3", "did you mean train.lr.peak=3? `iwm show recipe=quickstart` lists all keys"),
    ("train recipe=quickstart lr=5", "did you mean train.lr.peak=5?"),
    ("train recipe=quickstart train.lrr=5", "did you mean train.lr.peak=5?"),
    ("train recipe=quickstart train.lr.paek=5", "did you mean train.lr.peak=5?"),
    ("train recipe=quickstart trian.steps=[5,{a:1}]", "did you mean 'train.steps=[5,{a:1}]'?"),
    ("tune r recipe=tune/predictor mixup=1", "did you mean augment.mixup=1? `iwm show recipe=tune/predictor` lists"),
    ("train recipe=quickstart --steps 5", "write train.steps=5"),
    ("train recipe=quickstart --lr 5", "write train.lr.peak=5"),
    ("train recipe=quickstart steps 5", "write train.steps=5"),
    ("train recipe=quickstart encoder vit", "write encoder=vit"),
    ("train recipe=quickstart --hlep", "did you mean --help?"),
    ("train recipe=quickstart --nonsense", "overrides are key=value, such as train.seed=1"),
    ("resume r checkpoint step_2", "write checkpoint=step_2"),
    ("train recipe=quickstart actions=[jitter, blur]", "write 'actions=[jitter,blur]'"),
    ("train recipe=quickstart actions=[jitter, blur, flip]", "write 'actions=[jitter,blur,flip]'"),
    ("train recipe=quickstart data={name: folder}", "write 'data={name:folder}'"),
    ("train recipe=quickstart train.steps=5,6", "write one of them, train.steps=5; a sweep over the values is iwm train -m"),
    ("train recipe=quickstart train.lr.peak=5,6", "write one of them, train.lr.peak=5; a sweep"),
    ("train recipe=quickstart train.betas=0.9,0.99", 'or, where it takes a list, "train.betas=[0.9,0.99]"; a sweep'),
    ("train recipe=quickstart data.objects=1,4", 'where it takes a list, "data.objects=[1,4]"'),
    ("tune r recipe=tune/predictor train.seed=0,1", "write one of them, train.seed=0"),
    ("train recipe=quickstart image_size=big", "write image_size=224"),
    ("show recipe=quickstart train.stesp=3", "did you mean train.steps=3?"),
    ("resume " + "a" * 300, "it does not exist"),
    ("report " + "b/" * 150, "it does not exist"),
    ("report r out=" + "a" * 300, "out=FILE"),
    ("resume nowhere", "nowhere is not a run: it does not exist"),
    ("resume run=r", "write iwm resume r"),
    ("resume file.txt", "it is a file"),
    ("resume r/checkpoints/step_2", "lies in the run r"),
    ("resume .", "holds 2 runs, of which"),
    ("resume r launch=tpu", "there are auto, cpu, gpu"),
    ("resume r train.steps=3", "iwm resume changes only launch, data"),
    ("resume r workers=3", "write launch.workers=3"),
    ("eval r mrr.bank=16", "write evaluators.mrr.bank=16"),
    ("eval r bank=16", "write evaluators.mrr.bank=16"),
    ("eval r seed=3", "train another run for that"),
    ("compare r damaged", "iwm report r damaged shows both side by side"),
    ("tune r damaged recipe=tune/predictor", "iwm report r damaged shows both side by side"),
    ("predict qickstart x", "did you mean runs/quickstart? `iwm train` and `iwm tune` print"),
    ("predict predictor x", "did you mean runs/tune/predictor?"),
    ("resume r launch.workers=many", "write launch.workers=2"),
    ("eval evaluators=[mrr] r", "write iwm eval r"),
    ("tune nowhere recipe=tune/predictor", "nowhere is not a run"),
    ("tune r recipe=tune/predicter", "did you mean recipe=tune/predictor?"),
    ("compare r protocols=[predictr]", "did you mean predictor?"),
    ("compare r train.lr=1e-3", "write train.lr.peak=0.001"),
    ("predict nowhere x", "nowhere is not a run"),
    ("predict r x", "no file or folder x"),
    ("report nowhere", "nowhere is not a run"),
    ("report damaged", "damaged/config.yaml"),
    ("resume damaged", "damaged/config.yaml"),
    ("components actoin", "did you mean action?"),
    ("plugins chekc x", "did you mean"),
]


@pytest.fixture
def place(here):
    """A folder with a run that has a config alone, and one whose config is damaged."""
    from iwm_core.recipe.compose import compose
    from iwm_core.run.new_run import new_run

    config = compose("quickstart", [])[0]
    config.run = "r"
    with new_run(config, "train", print):
        pass
    Path("r/checkpoints/step_2").mkdir(parents=True)
    for name in ("damaged", "runs/quickstart", "runs/tune/predictor"):
        shutil.copytree("r", name)
    Path("damaged/config.yaml").write_text("a: [")
    Path("file.txt").write_text("words")
    return here


@pytest.mark.slow
def test_slips_are_answered_before_torch_is_imported(place):
    """In one process, in which torch must not be found after any of the refusals."""
    code = "\n".join(
        (
            "import sys",
            "from iwm_core.cli.main import dispatch, guarded",
            "for line in sys.stdin.read().splitlines():",
            "    status = guarded(lambda: dispatch(line.split(' ')))",
            "    print(status, 'torch' in sys.modules, flush=True)",
        )
    )
    lines = "\n".join(line for line, _ in QUICK)
    done = subprocess.run([sys.executable, "-c", code], input=lines, capture_output=True, text=True, check=False)
    told = done.stderr.splitlines()
    assert len(told) == len(QUICK), done.stderr
    for (line, fix), ended, text in zip(QUICK, done.stdout.splitlines(), told, strict=True):
        assert ended == "2 False", f"{line}: {text}"
        assert text.startswith("iwm: "), line
        assert fix in text, f"{line}: {text}"
        assert len(text) <= LONGEST


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["data.path=photos"], ("data=folder", "add that")),
        (["~train.steps"], ("needs exactly one of", "write train.steps=500")),
        (["data=hub", "data.path=" + "a" * 300], ("check the name", "let data.path name")),
        (["data=folder", "data.path=photos"], ("there is no folder photos in /", "data.path=FOLDER")),
        (["data=folder", "data.path=" + "a" * 300], ("check data.path",)),
        (["run=" + "a" * 300], ("File name too long", "run=PATH")),
        (["encoder=" + "x" * 5000], ("no installed plugin gives the encoder", "see `iwm plugins`")),
        (["train.lr.warmup=" + "x" * 5000], ("train.lr.warmup is a duration",)),
    ],
    ids=lambda words: words[-1][:30],
)
def test_slips_that_need_components(iwm, words, fix):
    status, error = result = iwm("train", "recipe=tiny", *words)
    assert_one_line(result, *fix)
    assert status == 2
    assert len(error.strip()) <= LONGEST
    assert os.listdir() == []  # noqa: PTH208


@pytest.mark.parametrize("named", ["d/{00..01}.tar", "d/*.tar", "{00..01}.tar"])
def test_names_with_braces_or_stars_are_kept_absolute_where_their_folder_is(named, tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    monkeypatch.chdir(tmp_path)

    config = compose("quickstart", ["data=shards", f"data.path={quoted(named)}"])[0]
    assert config.data.path == named

    def kept(path):
        (word,) = parse([f"data.path={quoted(path)}"])
        config.data.path = word.value()
        anchor(config)
        return config.data.path

    assert kept(named) == f"{tmp_path}/{named}"
    assert anchor_words([f"data.path={quoted(named)}"]) == [f"data.path={quoted(f'{tmp_path}/{named}')}"]
    for elsewhere in "memory://d/{00..01}.tar", "http://localhost/d/{00..01}.tar", "none/{00..01}.tar":
        assert kept(elsewhere) == elsewhere


@pytest.mark.slow
def test_a_run_reads_its_images_from_whichever_folder_it_goes_on(iwm, image_folder, monkeypatch):
    """A relative data.path is frozen absolute: elsewhere it would be no images, or others; where they have moved, data.path= says so."""
    words = ["recipe=tiny", "data=folder", "data.path=images", "train.steps=2", "train.lr.warmup=0", "run=r"]
    assert iwm("train", *words) == (0, "")
    run = Run.open("r").path.absolute()
    shutil.rmtree("r/checkpoints")
    elsewhere = image_folder.parent / "elsewhere"
    shutil.copytree(image_folder / "validation", elsewhere / "images" / "train")  # others of the same name
    monkeypatch.chdir(elsewhere)
    assert iwm("resume", run) == (0, "")
    assert iwm("eval", run, "evaluators=[probe]", "evaluators.probe.epochs=1")[0] == 0
    shutil.rmtree(run / "checkpoints")
    image_folder.rename(elsewhere / "moved")
    assert_one_line(iwm("resume", run), f"there is no folder {image_folder}: check data.path", "data.path=FOLDER")
    assert_one_line(iwm("resume", run, "data.path=moves"), f"there is no folder moves in {elsewhere}", "data.path=FOLDER")
    assert iwm("resume", run, "data.path=moved") == (0, "")

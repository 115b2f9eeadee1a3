"""A grammar of random command lines: most of them plausible, right but for one slip or none, the others hostile."""

import random

from iwm_devkit.advice.own_settings import keys_of

from iwm_core.plugins.kinds import schemas
from iwm_core.plugins.loader import load_plugins

LINE = "\x1b[31mred", "two\nlines", "tab\there", "ü☃", "\udcff", "\u202eabc"
PATHS = (
    *("world", "tuned", "young", "torn", "other", "empty", "images", "file.txt", "fifo", "runs", "nowhere", ".", "..", "/dev/null"),
    *("world/checkpoints", "world/checkpoints/step_2", "world/config.yaml", "world/", "./world", "a" * 300, "b/" * 150, "report.html"),
)
VALUES = (
    *("", "null", "nan", "inf", "-inf", "-1", "0", "1", "2", "3.5", "1e-3", "1e3", "1e400", "9" * 30, "9" * 400, "true", "none", "auto"),
    *("[]", "[1,2]", "[[[[1]]]]", "[" * 200, "[1", "{a:1}", "{", "{}", "'", '"', "''", "'\\''", "a b", "a,b", "1,2", "range(3)", "glob(*)"),
    *("choice(1,2)", "interval(0,1)", "${oc.env:HOME}", "${x}", "${train.steps}", "${", "???", "=", "a=b", "*", "@x", "0x10", "1_000"),
    *("2 epochs", "'2 epochs'", "soon", "x" * 3000, "_target_", "vit", "gain", "[gain]", "[gain,gain]", "noise", "folder", "hub", "shards"),
    *("taught", "{0..3}.tar", "memory://x", "nowhere://x"),
    *("feature", "[mrr]", "[health]", "[scorecard]", "cpu", "gpu", "../../x", "%s", "{0}", "\\", "`id`", "$(id)", *LINE, *PATHS),
)
OPTIONS = (
    *("encoder.depth", "encoder.width", "encoder.heads", "encoder.model", "encoder.patch_size", "predictor.depth", "predictor.width"),
    *("targets.share", "actions.gain.strength", "actions.blur.p", "data.count", "data.path", "data.cache", "data.size", "data.name"),
    *("data.max_corrupt", "evaluators.mrr.bank", "evaluators.health.every", "tasks.classify.of", "heads.linear", "protocol.lr_scale"),
)
ODD = (
    *("", ".", "..", "a..b", "train.", ".train", "train.lr.", "train.steps.x", "+x", "++train.steps", "+train.x", "~train.steps", "~data"),
    *("train.steps@x", "encoder@predictor", "hydra.run.dir", "k" * 300, "data/x", "launch", "train", "view", "size", "budget", "recipe"),
    *("encoder.name", "actions.gain.name", "world_model", "world_model.run", "format", "checksum", "train[0]", "train.betas[0]", *LINE),
)
WORDS = ("-m", "--multirun", "--help", "-h", "--json", "--", "-", "=", "--train.steps=3", "train.steps", "train.steps:3", "quickstart", "3")
RECIPES = (
    "tiny",
    "tiny",
    "tiny",
    "quickstart",
    "tune/predictor",
    "tune/probe_linear",
    "tinny",
    "./my.yaml",
    "world/config.yaml",
    "tiny,quickstart",
    "size/cpu",
)
TRAIN = (
    *("train.seed=3", "train.log_every=1", "train.checkpoint_every=1", "train.keep=1", "train.batch_size=4", "train.lr.peak=0.01"),
    *("train.lr.warmup=1", "train.weight_decay.end=0.1", "train.momentum.start=0.9", "train.betas=[0.8,0.9]", "train.clip=0"),
    *("train.loss=smooth_l1", "view.scale=[0.5,1]", "view.flip=0", "launch.accumulate=2", "launch.precision=bf16", "image_size=24"),
    *("encoder.depth=2", "encoder.width=24", "predictor=feature", "predictor.depth=2", "actions.gain.strength=0.5", "actions=[blur,gain]"),
    *("data=taught", "data=noise data.count=32", "data=folder data.path=images", "data.cache=ram", "run=mine", "targets.share=0.4"),
    *("evaluators=[mrr] evaluators.mrr.bank=8", "evaluators=[health] evaluators.health.every=1", "train.steps=null train.epochs=1"),
)
LAUNCH = ("launch.workers=1", "launch.accumulate=2", "launch.precision=bf16", "launch.device=cpu", "data.cache=ram", "data.max_corrupt=0.1")
EVAL = (*LAUNCH, "data.count=16", "data=folder data.path=images", "checkpoint=step_2")
PROTOCOLS = ("probe_linear", "probe_attentive", "predictor", "encoder", "end_to_end", "pixels")
TUNING = (
    "launch.workers=0",
    "launch.device=cpu",
    "train.batch_size=12",
    "train.epochs=null",
    "train.steps=2",
    "train.resamples=20",
    "train.lr.warmup=0",
)
TUNE = (
    *(
        "tasks=[classify]",
        "data=folder data.path=images",
        "data.count=24",
        "train.seed=1",
        "augment.mixup=0.5",
        "augment.label_smoothing=0.1",
    ),
    *("train.train_images=24", "view.flip=0", "heads.linear.dropout=0.1", "budget=cpu", "train.clip=1", "checkpoint=step_2", "run=mine"),
)
PREDICT = ("out=answers", "out=answers.csv", "batch=4", "images/train/a/0.png", "checkpoint=step_2")
ONCE = ("--arms", "model", "--repeats", "1", "--seconds", "0.01")
BENCH = ("--json", "out=bench.json", "predictor=feature", "launch.precision=bf16", "train.batch_size=4", "--compare bench.json")
IMPORT = ("encoder.heads=2", "licence=MIT", "train.steps=3", "data=folder data.path=images", "encoder.width=8")
SUBMIT = (
    "--partition main",
    "--nodes 2",
    "--gpus-per-node 2",
    "--time 2-12",
    "--warning 60",
    "--array",
    "--wait",
    "--jobs 2",
    "--cluster slurm",
)
SERVERS = ("watch", "explore")
"""Verbs that last until Ctrl-C."""
KINDS = ("action", "predictor", "task", "actoin", "evaluator", "data_source", "head")


def line_of(seed: int, number: int) -> list[str]:
    """A command line, the same for the same numbers."""
    draw = random.Random(f"{seed} {number}")
    return plausible(draw) if draw.random() < 0.6 else hostile(draw)


def plausible(draw: random.Random) -> list[str]:
    """A command line that is right, in most cases but for one slip."""
    words = right(draw)
    place = draw.randrange(len(words))
    before, word, after = words[:place], words[place], words[place + 1 :]
    key, equals, _ = word.partition("=")
    other = f"{key}={value(draw)}" if equals else path(draw)
    slips = (
        *(words, words, words, words, [*before, *after], [*before, word, word, *after], [*before, misspelt(draw, word), *after]),
        *([*before, other, *after], [*before, other, *after], [*words, settings(draw)], [*words, draw.choice(WORDS)]),
    )
    return draw.choice(slips)


def verbs() -> list[str]:
    """The first words of all verbs that come to an end."""
    return list(dict.fromkeys(name.split()[0] for name in load_plugins().commands if name not in SERVERS))


def right(draw: random.Random) -> list[str]:
    """A command line that is right, and is carried out within seconds."""
    verb = draw.choice(["train", "train", "train", "resume", "eval", "eval", "tune", "tune", *verbs()])
    lines = {
        "train": lambda: ["recipe=tiny", "train.steps=2", *chosen(draw, TRAIN)],
        "resume": lambda: [draw.choice(["world", "tuned", "young", "half", "half"]), *chosen(draw, LAUNCH)],
        "eval": lambda: [draw.choice(["world evaluators=[mrr]", "world evaluators=[error,probe]", "tuned"]), *chosen(draw, EVAL)],
        "tune": lambda: ["world", "recipe=tune/" + draw.choice(PROTOCOLS), *TUNING, *chosen(draw, TUNE)],
        "compare": lambda: ["world", f"protocols=[{draw.choice(PROTOCOLS)}]", "seeds=1", *TUNING, *chosen(draw, TUNE)],
        "predict": lambda: ["tuned", "images", "device=cpu", "workers=0", *chosen(draw, PREDICT)],
        "report": lambda: draw.choice([["world"], ["tuned"], ["world", "tuned", "out=page.html"], ["young"]]),
        "show": lambda: ["recipe=" + draw.choice(["tiny", "quickstart", "paper/ijepa_vitb16"]), *chosen(draw, TRAIN)],
        "bench": lambda: ["recipe=tiny", *ONCE, *chosen(draw, BENCH)],
        "submit": lambda: [*chosen(draw, SUBMIT), draw.choice(["train recipe=tiny", "resume half", "eval world", "submit"])],
        "reproduce": lambda: draw.choice([[], ["--json"], ["--scale", "gpu"], ["ours", "--seeds", "x"]]),  # no claim is cheap
        "features": lambda: ["world", *draw.choice([[], ["images"]]), f"out=features.{draw.choice(['npy', 'parquet'])}"],
        "explore": lambda: ["world", "--port 0", *chosen(draw, LAUNCH)],
        "export": lambda: ["world", "out=exported", "--format", draw.choice(["safetensors", "torch", "timm"])],
        "push": lambda: draw.choice([["world", "me"], ["world"], ["tuned", "me/tuned"]]),  # refused before a hub is asked
        "completion": lambda: [draw.choice(["bash", "zsh", "fish"])],
        "zoo": lambda: draw.choice([[], ["--json"], ["quickstart"]]),
        "import": lambda: ["ijepa", "file.txt", "imported", *chosen(draw, IMPORT)],
        "recipes": lambda: draw.choice([[], ["--json"]]),
        "components": lambda: draw.choice([[], ["action"], ["action", "jitter"], ["evaluator", "mrr", "--json"]]),
        "plugins": lambda: draw.choice([[], ["--json"], ["new", "gamma", "--kind", draw.choice(KINDS)]]),
    }
    return [part for word in [verb, *lines[verb]()] for part in word.split()]


def chosen(draw: random.Random, among: tuple[str, ...]) -> list[str]:
    return draw.sample(among, draw.choice([0, 1, 1, 2, 3]))


def hostile(draw: random.Random) -> list[str]:
    """A command line of which anything may be wrong."""
    verb = draw.choice([*verbs(), "train", "train", "train", "show", "show", "eval", "resume"])
    words = {
        "train": lambda: [*recipe(draw), *some(draw, settings)],
        "show": lambda: [*recipe(draw), *some(draw, settings)],
        "tune": lambda: [path(draw), *recipe(draw, "tune/probe_linear"), *some(draw, settings)],
        "compare": lambda: [path(draw), *draw.choice([[], ["seeds=1"], ["seeds=" + value(draw)]]), *protocols(draw), *some(draw, settings)],
        "predict": lambda: [path(draw), path(draw), *some(draw, asked("out", "batch", "workers", "device"))],
        "report": lambda: [path(draw), *some(draw, path), *some(draw, asked("out"))],
        "recipes": lambda: some(draw, value),
        "components": lambda: [*some(draw, lambda d: d.choice(KINDS)), *some(draw, value)],
        "plugins": lambda: draw.choice([[], ["check", value(draw)], ["new", value(draw), "--kind", draw.choice(KINDS)], [value(draw)]]),
    }.get(verb, lambda: [path(draw), *some(draw, settings)])()
    if draw.random() < 0.15:
        words.insert(draw.randrange(len(words) + 1), draw.choice([*WORDS, value(draw)]))
    if draw.random() < 0.05 and words:
        words.append(draw.choice(words))
    if draw.random() < 0.1:
        draw.shuffle(words)
    return [misspelt(draw, verb) if draw.random() < 0.04 else verb, *words]


def some(draw: random.Random, make) -> list[str]:
    return [make(draw) for _ in range(draw.choice([0, 1, 1, 1, 2, 3]))]


def recipe(draw: random.Random, likely: str = "tiny") -> list[str]:
    if draw.random() < 0.7:
        return [f"recipe={likely}"]
    return draw.choice([[], [f"recipe={draw.choice(RECIPES)}"], [f"recipe={value(draw)}"], ["recipe=tiny", "recipe=tiny"]])


def protocols(draw: random.Random) -> list[str]:
    return draw.choice([[], ["protocols=[probe_linear]"], ["protocols=" + value(draw)], ["probe_linear:train.steps=2"]])


def path(draw: random.Random) -> str:
    return draw.choice(["world", "world", "tuned", *PATHS, value(draw)])


def value(draw: random.Random) -> str:
    return misspelt(draw, draw.choice(VALUES)) if draw.random() < 0.1 else draw.choice(VALUES)


def asked(*keys: str):
    return lambda draw: f"{draw.choice(keys)}={value(draw)}"


def settings(draw: random.Random) -> str:
    known = [*keys_of(draw.choice(schemas())), *OPTIONS, "run", "train.steps", "checkpoint"]
    key = draw.choice(known if draw.random() < 0.8 else ODD)
    return f"{misspelt(draw, key) if draw.random() < 0.1 else key}={value(draw)}"


def misspelt(draw: random.Random, word: str) -> str:
    """With a sign left out, doubled, or exchanged for its neighbour."""
    if not word:
        return word
    place = draw.randrange(len(word))
    return draw.choice(
        [word[:place] + word[place + 1 :], word[:place] + word[place] + word[place:], word[:place] + "x" + word[place + 1 :]]
    )

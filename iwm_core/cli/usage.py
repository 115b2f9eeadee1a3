"""What ``iwm --help`` and ``iwm VERB --help`` print: of each verb its forms, what else one should know, and lines to try."""

from typing import NamedTuple

COLUMN = 41
"""Where the words about a form begin."""


class Use(NamedTuple):
    """How a verb is used: its forms, each with a few words; sentences; examples."""

    forms: dict[str, str]
    more: tuple[str, ...]
    examples: tuple[str, ...]


CHECKPOINT = "checkpoint=step_N takes an older checkpoint than the newest."

USES = {
    "train": Use(
        {
            "train recipe=NAME [key=value …]": "train and measure a recipe in a new run directory",
            "train -m recipe=NAME key=a,b …": "a sweep: one run for each combination",
        },
        (
            "run=PATH names the directory; without it, the next free runs/NAME. It is printed alone on the first line.",
            "`iwm show recipe=NAME` lists all keys; `iwm components` what can be named, such as predictor=NAME and actions=[NAME,…].",
        ),
        (
            "iwm train recipe=quickstart",
            "iwm train recipe=quickstart data=folder data.path=MY_IMAGES image_size=96",
            "iwm train -m recipe=quickstart predictor=feature,none",
        ),
    ),
    "resume": Use(
        {"resume RUN [launch.key=value …]": "go on after an interruption"},
        (
            "Only launch= and data= may change: how the rest is computed, and where the images lie now (data.path=FOLDER).",
            f"{CHECKPOINT} Later ones are set aside.",
        ),
        ("iwm resume runs/quickstart", "iwm resume runs/quickstart launch.accumulate=2", "iwm resume runs/quickstart checkpoint=step_400"),
    ),
    "eval": Use(
        {"eval RUN [evaluators=[NAME] key=value …]": "measure a run's newest checkpoint"},
        (
            "Without evaluators=, those of the recipe; evaluators=[scorecard] takes all that `iwm components evaluator` lists.",
            f"What is measured with other settings than the recipe's is kept apart. {CHECKPOINT}",
        ),
        ("iwm eval runs/quickstart", 'iwm eval runs/quickstart "evaluators=[mrr]" evaluators.mrr.bank=256'),
    ),
    "tune": Use(
        {"tune RUN recipe=tune/NAME [data=NAME tasks=[NAME] key=value …]": "tune a world model for tasks, in a new run"},
        (
            "Without data=, it learns from the world model's. budget=cpu is small; budget=paper, the default, is for a GPU.",
            f"`iwm show recipe=tune/NAME` lists all keys, `iwm components task` the tasks. {CHECKPOINT}",
        ),
        (
            "iwm tune RUN recipe=tune/predictor budget=cpu",
            "iwm tune RUN recipe=tune/encoder data=folder data.path=MY_IMAGES",
            'iwm tune RUN recipe=tune/predictor "tasks=[segment]" data=folder data.path=MY_IMAGES data.masks=MY_MASKS '
            '"data.mask_classes=[background,cat]"',
        ),
    ),
    "predict": Use(
        {"predict RUN IMAGE-or-FOLDER … [out=FOLDER|FILE.csv]": "a tuned model's answers as a table and as masks"},
        ("batch=64 images are answered at once, workers=2 processes read them, device=auto computes.", CHECKPOINT),
        ("iwm predict runs/tune/predictor MY_IMAGES out=answers", "iwm predict runs/tune/predictor cat.jpg dog.jpg out=answers.csv"),
    ),
    "compare": Use(
        {
            "compare RUN [protocols=[NAME,…] seeds=3 run=FOLDER key=value NAME:key=value …]": (
                "tune a world model by several protocols, into one table"
            )
        },
        (
            "key=value is for all protocols, NAME:key=value for one. Protocols are the recipes tune/NAME.",
            f"Asked for again, it goes on where it was interrupted. {CHECKPOINT}",
        ),
        (
            "iwm compare RUN budget=cpu",
            'iwm compare RUN budget=cpu "protocols=[probe_linear,predictor,predictor_random]" seeds=3',
            "iwm compare RUN budget=cpu train.epochs=6 predictor:protocol.drop_path=0",
        ),
    ),
    "report": Use(
        {"report RUN [RUN …] [out=FILE]": "one HTML file about a run, or several side by side"},
        ("Without out=, it is report.html in the run's directory or, of several, in the folder that holds them all.",),
        ("iwm report runs/quickstart", "iwm report runs/quickstart runs/quickstart-2 out=both.html"),
    ),
    "show": Use(
        {"show recipe=NAME [key=value …]": "print a recipe, composed"},
        ("Every key that is printed can be set by `iwm train` and `iwm tune` as key=value.",),
        ("iwm show recipe=quickstart", "iwm show recipe=quickstart predictor=sequence", "iwm show recipe=tune/predictor budget=cpu"),
    ),
    "recipes": Use({"recipes [--json]": "list recipes"}, (), ("iwm recipes", "iwm recipes --json")),
    "components": Use(
        {"components [KIND] [--json]": "list installed components", "components KIND NAME": "a component's options"},
        (),
        ("iwm components action", "iwm components action jitter", "iwm components evaluator mrr --json"),
    ),
    "plugins": Use(
        {
            "plugins [--json]": "list plugins, also those that failed to load",
            "plugins new NAME --kind KIND": "write a package for a component of your own, with its tests",
            "plugins check NAME [--json]": "check an installed plugin: entry points, hooks, components, recipes",
        },
        ("--into FOLDER says where `new` writes.",),
        ("iwm plugins", "iwm plugins new gamma --kind action", "iwm plugins check iwm-gamma"),
    ),
}


def overview() -> str:
    """What ``iwm --help`` prints."""
    forms = "\n".join(line for use in USES.values() for line in lines_of(use))
    return (
        f"iwm: image world models\n\n{forms}\n\n"
        "start with:  iwm train recipe=quickstart\nmore about a verb, with examples:  iwm VERB --help"
    )


def about(verb: str) -> str:
    """What ``iwm VERB --help`` prints."""
    use = USES[verb]
    parts = (lines_of(use), use.more, ["examples:", *(f"  {line}" for line in use.examples)])
    return "\n\n".join("\n".join(part) for part in parts if part)


def lines_of(use: Use) -> list[str]:
    """A verb's forms, the words about them in a column."""
    lines = []
    for form, words in use.forms.items():
        form = f"  iwm {form}"
        lines += [f"{form:{COLUMN}}  {words}"] if len(form) <= COLUMN else [form, f"{'':{COLUMN}}  {words}"]
    return lines

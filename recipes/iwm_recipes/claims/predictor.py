"""The predictor is worth keeping: on the frozen encoder, it beats a random one, and does as well as finetuning the encoder (PAPER §7)."""

from iwm_repro.claim import Claim, Measure, Row, Rule, Size

from iwm_recipes.claims.settings import RESULTS, SETTINGS, Setting

PROTOCOLS = {
    "probe_linear": "linear probe",
    "encoder": "encoder finetuned",
    "predictor_random": "frozen + random predictor",
    "predictor": "frozen + pretrained predictor",
}
PAPER = {"probe_linear": 0.675, "encoder": 0.829, "predictor_random": 0.815, "predictor": 0.833}
"""Of IWM-Equi 18x384, on ImageNet."""


SEEDS = {"cpu": (0, 1, 2, 3, 4, 5), "gpu": (0, 1, 2)}
"""By scale: three left it open at CPU size, as intervals over so few are four times as wide as their seeds' spread."""


def size_of(setting: Setting, seeds: tuple[int, ...]) -> Size:
    """The claim at a scale."""
    model, tasks = setting.model("predictor=adaln"), setting.tasks
    columns = {task: f"{task}, {metric}" for task, metric in tasks.items()}
    rows = {}
    for protocol, label in PROTOCOLS.items():
        tuning = setting.tuned(model, protocol)
        measures = {columns[task]: setting.reached(tuning, task) for task in tasks}
        costs = {"trained parameters": Measure(tuning, "cost", "trained"), "GFLOPs/image": Measure(tuning, "cost", "gflops_inference")}
        paper = {columns["classify"]: PAPER[protocol]} if "classify" in tasks else {}
        rows[label] = Row(measures=measures | costs, paper=paper)
    kept, random, encoder = (PROTOCOLS[name] for name in ("predictor", "predictor_random", "encoder"))
    rules = [
        rule
        for task, column in columns.items()
        for rule in (
            Rule(says=f"{task}: the pretrained predictor beats a random one", left=(kept, column), right=(random, column)),
            Rule(says=f"{task}: no worse than the encoder, less 0.01", left=(kept, column), right=(encoder, column), low=-0.01),
        )
    ]
    return Size(data=setting.data, rows=rows, rules=tuple(rules), seeds=seeds)


PREDICTOR = Claim(
    name="predictor",
    says="on a frozen encoder, the pretrained predictor beats a random one, and does as well as finetuning the encoder",
    sizes={scale: size_of(setting, SEEDS[scale]) for scale, setting in SETTINGS.items()},
    results=RESULTS,
)

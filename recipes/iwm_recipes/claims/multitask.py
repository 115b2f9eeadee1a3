"""Several tasks: one predictor with a token for each does as well as one predictor for each (PAPER §7)."""

from iwm_repro.claim import Claim, Row, Rule, Size

from iwm_recipes.claims.settings import RESULTS, SETTINGS, Setting

MARGIN = 0.03
EPOCHS = 4
"""Of a predictor for one task."""


def size_of(setting: Setting) -> Size:
    """The claim at a scale."""
    model, tasks = setting.model("predictor=adaln"), setting.tasks
    both = setting.tuned(model, "multitask", tuple(tasks), f"train.epochs={EPOCHS * len(tasks)}")
    tunings = {
        "one predictor for all": dict.fromkeys(tasks, both),
        "a predictor for each": {task: setting.tuned(model, "predictor", (task,)) for task in tasks},
    }
    columns = {task: f"{task}, {metric}" for task, metric in tasks.items()}
    together, apart = tunings
    return Size(
        data=setting.data,
        rows={
            label: Row(measures={columns[task]: setting.reached(tuning, task) for task, tuning in own.items()})
            for label, own in tunings.items()
        },
        rules=tuple(
            Rule(
                says=f"{task}: one for all is as good as its own, within {MARGIN:g}",
                left=(together, columns[task]),
                right=(apart, columns[task]),
                low=-MARGIN,
                high=MARGIN,
            )
            for task in tasks
        ),
        seeds=(0,),
    )


MULTITASK = Claim(
    name="multitask",
    says="one predictor for several tasks does as well as one for each, with as many steps as all of them together",
    sizes={"cpu": size_of(SETTINGS["cpu"])},
    results=RESULTS,
)

"""The verbs of tuning: what their help says, what they take, and where each is carried out."""

from iwm_cluster.verbs import Jobs

from iwm_core.interfaces.commands import Command

CHECKPOINT = "checkpoint=step_N uses an older checkpoint."

VERBS = [
    Command(
        name="tune",
        run="iwm_tasks.commands:run_tune",
        forms={
            "tune RUN recipe=tune/NAME [data=NAME tasks=[NAME] key=value …]": "tune a world model for tasks, in a new run",
        },
        more=(
            "Without data=, it learns from the world model's. budget=cpu is small; budget=paper, the default, is for a GPU.",
            "`iwm show recipe=tune/NAME` lists all keys, `iwm components task` the tasks.",
            CHECKPOINT,
        ),
        examples=(
            "iwm tune RUN recipe=tune/predictor budget=cpu",
            "iwm tune RUN recipe=tune/encoder data=folder data.path=MY_IMAGES",
            'iwm tune RUN recipe=tune/predictor "tasks=[segment]" data=folder data.path=MY_IMAGES data.masks=MY_MASKS '
            '"data.mask_classes=[background,cat]"',
        ),
    ),
    Command(
        name="predict",
        run="iwm_tasks.commands:run_predict",
        forms={
            "predict RUN IMAGE-or-FOLDER … [out=FOLDER|FILE.csv]": "a tuned model's answers as a table and as masks",
        },
        more=(
            "batch=64: images a pass; workers=2: processes that read them; device=auto: where to compute.",
            CHECKPOINT,
        ),
        examples=(
            "iwm predict runs/tune/predictor MY_IMAGES out=answers",
            "iwm predict runs/tune/predictor cat.jpg dog.jpg out=answers.csv",
        ),
    ),
    Command(
        name="compare",
        run="iwm_tasks.commands:run_compare",
        switches=Jobs,
        forms={
            "compare RUN [protocols=[NAME,…] seeds=3 run=FOLDER key=value NAME:key=value …]": (
                "tune a world model by several protocols, into one table"
            ),
        },
        more=(
            "key=value is for all protocols, NAME:key=value for one. Protocols are the recipes tune/NAME.",
            "Run again, it continues where it was interrupted.",
            CHECKPOINT,
        ),
        examples=(
            "iwm compare RUN budget=cpu",
            'iwm compare RUN budget=cpu "protocols=[probe_linear,predictor,predictor_random]" seeds=3',
            "iwm compare RUN budget=cpu train.epochs=6 predictor:protocol.drop_path=0",
        ),
    ),
]

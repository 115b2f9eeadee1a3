"""The verbs: what their help says, and where each is carried out."""

from iwm_core.interfaces.commands import Command

VERBS = [
    Command(
        name="import",
        run="iwm_interop.commands:run_import",
        forms={
            "import ijepa FILE RUN [key=value …]": "a checkpoint of I-JEPA's reference code as a run: student, teacher and predictor",
        },
        more=(
            "What the weights do not tell comes from the recipe import/ijepa, and can be set: data=, evaluators=, train.KEY=, launch=.",
            "encoder.heads=N where the encoder is none of the published sizes; its predictor has as many, or predictor.heads=N.",
            "licence=TEXT and source=TEXT are kept with the run; without them, those of the published files.",
            "RUN/import.json tells of every key of the file: what became of it, or why it was left out.",
        ),
        examples=(
            "iwm import ijepa IN1K-vit.h.14-300e.pth.tar runs/ijepa",
            "iwm import ijepa IN1K-vit.h.14-300e.pth.tar runs/ijepa data=folder data.path=MY_IMAGES train.steps=5000",
        ),
    ),
]

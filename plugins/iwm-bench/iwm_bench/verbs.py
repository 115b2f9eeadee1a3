"""The verb ``bench``: what its help says, and where it is carried out."""

from iwm_core.interfaces.commands import Command

VERBS = [
    Command(
        name="bench",
        run="iwm_bench.commands:run_bench",
        forms={
            "bench recipe=NAME [key=value …]": "measure a recipe's training step on this device",
        },
        more=(
            "--arms model,step,data,feed,decode,actions chooses what is measured; without it, the first three. model: forward, backward\n"
            "and step on fixed tensors; step: with draws, views and target selection; data: fed by the recipe's data; feed: the data\n"
            "alone, without a model; decode: what its workers make, unsent, the most that they could feed; actions: the actions alone,\n"
            "against torchvision and kornia where they are installed.",
            "--ijepa FOLDER adds a row: the step of I-JEPA's reference code, of the same sizes and tokens, from a checkout of it;\n"
            "--lightly that of lightly's, where it is installed.",
            "--repeats 5, --seconds 1: blocks of each arm, which take turns, and how long each lasts at least.",
            "--json prints the record in place of the table, out=FILE.json writes it; --compare FILE.json adds ratios to an earlier one.",
            "--profile writes a trace of one step an arm, for ui.perfetto.dev: FILE.trace.json, or bench.trace.json here.",
        ),
        examples=(
            "iwm bench recipe=quickstart launch.precision=bf16 --arms model,step out=bf16.json",
            "iwm bench recipe=quickstart --arms model,step --compare bf16.json",
            "iwm bench recipe=repro/imagenette size=gpu --profile",
        ),
    ),
]

"""The verbs: what their help says, what they take, and where each is carried out."""

from dataclasses import dataclass

from iwm_core.cli.listing import Listing
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option

FORMATS = ("timm", "transformers", "safetensors", "torch", "onnx")
"""Of exports."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """The switches of ``iwm export``."""

    format: str = option(doc="whose files are written", choices=FORMATS)
    student: bool = option(False, "the student in place of the teacher")


@dataclass(frozen=True, kw_only=True)
class Features:
    """The switches of ``iwm features``."""

    patch: bool = option(False, "all tokens of each image, in place of their mean")
    student: bool = option(False, "the student's in place of the teacher's")
    umap: bool = option(False, "the map by UMAP, in place of principal components")


@dataclass(frozen=True, kw_only=True)
class Push:
    """The switch of ``iwm push``."""

    public: bool = option(False, "for everybody to see; private without")


VERBS = [
    Command(
        name="import",
        run="iwm_interop.commands:run_import",
        forms={
            "import ijepa FILE RUN [key=value …]": "make a checkpoint of I-JEPA's reference code a run",
            "import timm|transformers FILE|FOLDER RUN [key=value …]": "make a published encoder a run, beside a new predictor",
            "import safetensors FOLDER RUN [key=value …]": "make an export of iwm a run again",
        },
        more=(
            "What the weights do not tell comes from the recipe import/ijepa or import/encoder and can be set: data=, train.KEY=, …",
            "ijepa: encoder.heads=N where the encoder is none of the published sizes; its predictor has as many, or predictor.heads=N.",
            "timm, transformers: encoder=NAME where no config.json lies beside the weights, and recipe=NAME for another recipe.",
            "licence=TEXT and source=TEXT are kept with the run; without them, those of the published files.",
            "RUN/import.json tells of every key of the file: what became of it, or why it was left out.",
        ),
        examples=(
            "iwm import ijepa IN1K-vit.h.14-300e.pth.tar runs/ijepa",
            "iwm import timm dinov2_vits14_pretrain.pth runs/dinov2 encoder=dinov2_vits14 data=folder data.path=MY_IMAGES",
        ),
    ),
    Command(
        name="export",
        run="iwm_interop.commands:run_export",
        switches=Export,
        forms={
            "export RUN out=FOLDER --format timm|transformers|safetensors|torch|onnx": "write a run's model as files that others load",
        },
        more=(
            "safetensors, torch and onnx have the predictor, too, or the heads of a tuned run.",
            "What is written is read back and must give the run's outputs to 1e-5; README.md is a model card.",
            "licence=TEXT is for weights of your own; imported ones keep theirs. checkpoint=step_N uses an older checkpoint.",
        ),
        examples=(
            "iwm export runs/quickstart out=exports/quickstart --format timm",
            "iwm export runs/ijepa out=exports/ijepa --format transformers",
            "iwm export runs/quickstart out=exports/quickstart-onnx --format onnx licence=Apache-2.0",
        ),
    ),
    Command(
        name="features",
        run="iwm_interop.commands:run_features",
        switches=Features,
        forms={
            "features RUN [FOLDER] out=FILE [map=FILE.html]": "write the features of images as a table, and as a map",
        },
        more=(
            "FILE.parquet is a table of names, splits, labels and features; FILE.npy an array, with FILE.csv for the names of its rows.",
            "FOLDER holds images, or a folder of them for each class; without it, the run's data, or others: data=NAME data.path=….",
            "map= is a page of thumbnails, and a picture beside it.",
            "split=train or validation takes one; batch=64 images at a time; launch.device= and launch.workers= as in training.",
        ),
        examples=(
            "iwm features runs/quickstart out=features.parquet map=map.html",
            "iwm features runs/quickstart MY_IMAGES out=features.npy --patch",
            "iwm features runs/quickstart data=hub data.path=uoft-cs/cifar10 out=cifar10.parquet split=validation",
        ),
    ),
    Command(
        name="push",
        run="iwm_interop.commands:run_push",
        switches=Push,
        forms={
            "push RUN OWNER/NAME [--public]": "share a run on the Hugging Face Hub",
        },
        more=(
            'It is read by its address wherever a run is: iwm eval hf://OWNER/NAME, iwm_core.load("hf://OWNER/NAME@REVISION").',
            "No path, host, user or command line of this machine is in what is pushed.",
            "Log in with `hf auth login`, or set HF_TOKEN. The same command goes on after an interruption.",
            "licence=TEXT is for weights of your own; imported ones keep theirs. checkpoint=step_N uses an older checkpoint.",
        ),
        examples=(
            "iwm push runs/quickstart me/quickstart licence=Apache-2.0",
            "iwm push runs/quickstart me/quickstart --public",
        ),
    ),
    Command(
        name="zoo",
        run="iwm_interop.zoo.listing:run_zoo",
        switches=Listing,
        words=1,
        forms={
            "zoo [NAME] [--json]": "the models that we have trained, with their scorecards",
        },
        more=('A model that is small comes with iwm, and is read by its address: iwm_core.load("zoo://quickstart").',),
        examples=(
            "iwm zoo",
            "iwm zoo quickstart",
            "iwm zoo --json",
        ),
    ),
]

"""A run as what is exported: a world model's encoder and predictor, or a tuned model with its heads."""

from iwm_tasks.tuning.tuned import Tuned

from iwm_core.interfaces import Encoder
from iwm_core.interfaces.errors import UserError
from iwm_core.model.frozen import FrozenModel
from iwm_core.plugins.kinds import kind_of
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import Run
from iwm_interop.exporting.card import shareable
from iwm_interop.exporting.format import Exported
from iwm_interop.exporting.parts import encoder_part, predictor_part
from iwm_interop.exporting.tuned import tuned_part


def loaded(run: Run, student: bool) -> tuple[str, int, Exported]:
    """What a run has to export: the model in words, its step, and its parts.

    Raises:
        UserError: the run is neither a world model nor a tuned one, or cannot be read.
    """
    with run.blamed():
        config = run.config()
        recipe = thaw(config)
    model = kind_of(config).load(run, recipe, "cpu")
    plain = shareable(run.plain_config())
    if isinstance(model, FrozenModel):
        part = "student" if student else "teacher"
        encoder: Encoder = getattr(model.model, part)
        labels = tuple(f"{name}.{label}" for name, label in zip(model.names, model.actions.labels, strict=True))
        beside = predictor_part(model.model.predictor, encoder, labels, recipe.train.normalise_targets)
        parts = [encoder_part(encoder, recipe.image_size), beside]
        return (
            f"The {part} encoder of an image world model",
            model.step,
            Exported(config=plain, recipe=recipe, parts=parts, encoder=encoder),
        )
    if not isinstance(model, Tuned):
        raise UserError(f"{run.path} is neither a world model nor a tuned one, and only these are exported")
    if student:
        raise UserError("--student is of world models: a tuned model has one encoder; leave it out")
    what = f"An image world model tuned for {', '.join(model.tasks)}, with its heads"
    return what, model.step, Exported(config=plain, recipe=recipe, parts=[tuned_part(model)])

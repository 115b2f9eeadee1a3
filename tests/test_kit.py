"""The conformance kit: what is installed conforms, and every check catches a component that breaks it (DESIGN §4)."""

import subprocess
import sys
from dataclasses import dataclass, fields
from typing import Literal

import pytest
import torch
from kit_examples import Brighter, Halves, LetterImages, Letters, Mean, MeanHead, PatchEncoder, Patches, Spread, Told, ToldPredictor
from torch import nn

from iwm_core.interfaces import ActionParams, Chart, CorruptImage, Metric, NotApplicable, Targets, option
from iwm_core.plugins import load_plugins
from iwm_core.testing import CHECKS, check_component
from iwm_core.testing.conduct import check_compiles

SMALL = {"width": 24, "depth": 2, "heads": 2, "patch_size": 16}
MODULES = ("encoder", "predictor", "head")
GOOD = {
    "action": Brighter,
    "target_selector": Halves,
    "encoder": Patches,
    "predictor": Told,
    "head": MeanHead,
    "data_source": Letters,
    "evaluator": Spread,
}
IMAGES, ROW = torch.linspace(0, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4), torch.ones(2, 1)


def installed(*kinds):
    found = [(kind, name, entry.component) for kind in kinds for name, entry in load_plugins().entries(kind).items()]
    return [pytest.param(kind, component, id=f"{kind}-{name}") for kind, name, component in found]


@pytest.mark.parametrize(("kind", "component"), installed("action", "target_selector", *MODULES))
def test_what_is_installed_conforms(kind, component):
    known = {field.name for field in fields(component)}
    CHECKS[kind](component(**{key: value for key, value in SMALL.items() if key in known and kind in ("encoder", "predictor")}))


@pytest.mark.parametrize(("kind", "component"), installed("task", "protocol", "data_source", "evaluator"))
def test_what_is_installed_is_documented(kind, component):
    needed = {"path": "somewhere"} if "path" in {field.name for field in fields(component)} else {}
    check_component(component(**needed))


@pytest.mark.parametrize(("kind", "component"), GOOD.items())
def test_good_components_pass(kind, component):
    CHECKS[kind](component())


def test_there_is_a_check_for_each_kind_and_an_example():
    assert CHECKS.keys() == GOOD.keys()


def caught(kind, component, *words):
    """The kit refuses a component, in one line that has these words."""
    with pytest.raises(AssertionError) as error:
        CHECKS[kind](component)
    line = str(error.value).splitlines()[0]  # pytest adds the values below
    assert [word for word in words if word not in line] == [], line


def broken(good, **changes):
    """An instance of a component of which something is otherwise, with the good one's documentation."""
    namespace = {"__doc__": good.__doc__, "name": good.name, **changes}
    return dataclass(kw_only=True)(type(good.__name__, (good,), namespace))()


class Unmarked(Brighter):
    """An option that @dataclass has not seen."""

    less: float = option(0.1, "least light")


@dataclass(kw_only=True)
class Silent(Brighter):
    most: float = option(0.5, "most light", low=0, high=1)


@dataclass(kw_only=True)
class Undocumented(Brighter):
    """An option without a word."""

    less: float = 0.1


@dataclass(kw_only=True)
class Unholdable(Brighter):
    """An option that no recipe can hold."""

    side: Literal["left", "right"] = option("left", "where")


@dataclass(kw_only=True)
class Unchecked(Brighter):
    """Takes whatever it is given."""

    def __post_init__(self):
        self.least = 0


@pytest.mark.parametrize(
    ("component", "words"),
    [
        (Unmarked, ("Unmarked", "@dataclass(kw_only=True)", "less")),
        (Silent, ("Silent needs a docstring",)),
        (Undocumented, ("Undocumented.less needs documentation", "option(")),
        (Unholdable, ("Unholdable.side", "Literal", "a recipe cannot hold", "use bool")),
        (Unchecked, ("Unchecked.most = -1 must be refused", "super().__post_init__()")),
    ],
)
def test_options(component, words):
    caught("action", component(), *words)


@pytest.mark.parametrize(("name", "words"), [(None, "needs a `name`"), ("Very Bright", "lower-case")])
def test_names(name, words):
    caught("action", broken(Brighter, name=name), words)


def drawn(source, target=0.0):
    """A `sample` that gives what a function of draws gives."""
    return lambda self, draws: ActionParams(source(draws), torch.full((len(draws), 1), target))


def changed(function):
    """An `apply` that changes the result of the good one."""
    return lambda self, images, params: function(Brighter.apply(self, images, params), images, params)


def in_place(self, images, params):
    return images.add_(params[:, :, None, None]).clamp_(0, 1)


def on_average(self, images, params):
    return (images + params.mean()).clamp(0, 1)


def noisy(self, images, params):
    return (images + params[:, :, None, None] + 0 * torch.rand(1)).clamp(0, 1)


def peeking(self, images, params):
    return Brighter.apply(self, images, params) if params.max() > 0 else images


def constant(self, images, params):
    return (images + params[:, :, None, None] * torch.tensor([1.0, 1.0, 1.0])[:, None, None]).clamp(0, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"identity": torch.zeros(1, 1)}, ("identity must be one row",)),
        ({"identity": torch.zeros(1, dtype=torch.float64)}, ("identity must be float32",)),
        ({"labels": "light"}, ("labels must be a tuple", '("label",)')),
        ({"labels": ("light", "light")}, ("labels must differ",)),
        ({"sample": drawn(lambda d: d.uniform(2, 0, 1))}, ("sample().source must be [b, p]",)),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1).double())}, ("sample().source must be float32",)),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1) / 0)}, ("sample().source must be finite",)),
        ({"sample": drawn(lambda d: torch.rand(len(d), 1))}, ("sample()", "global random generators", "draws")),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1).cumsum(0) / 6)}, ("sample().source of an image must not depend on its batch",)),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1), 0.5)}, ("changes_target = False", "identity")),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1).cpu())}, ("sample()", "device")),
        ({"apply": in_place}, ("apply() must leave its input unchanged",)),
        ({"apply": noisy}, ("apply() must leave the global random generators alone",)),
        ({"apply": on_average}, ("each image must be transformed by its own parameters",)),
        ({"apply": changed(lambda new, old, p: new[:, :1])}, ("as many images with as many channels",)),
        ({"apply": changed(lambda new, old, p: new.double())}, ("apply() must return float32",)),
        ({"apply": changed(lambda new, old, p: new / 0)}, ("apply() must return finite images",)),
        ({"apply": changed(lambda new, old, p: old - p[:, :, None, None])}, ("in [0, 1]: clamp",)),
        ({"apply": changed(lambda new, old, p: old + p[:, :, None, None])}, ("in [0, 1]: clamp",)),
        ({"apply": changed(lambda new, old, p: new.sqrt())}, ("`identity` must leave images as they are",)),
        ({"apply": changed(lambda new, old, p: new[:, :, : 23 if len(p) > 1 else 22])}, ("one size for a batch",)),
        ({"apply": peeking}, ("apply() must run on the device", ".item()")),
        ({"apply": constant}, ("apply() must run on the device", "make constants there")),
        ({"encode": lambda self, s, t: torch.cat([s, t], 1)}, ("one number for each label",)),
        ({"encode": lambda self, s, t: (t - s).double()}, ("encode() must give float32",)),
        ({"encode": lambda self, s, t: (t - s) / 0}, ("encode() must give finite",)),
        ({"encode": lambda self, s, t: 90 * (t - s)}, ("about in [-1, 1]", "divide by")),
        ({"encode": lambda self, s, t: 1 - s}, ("the null action",)),
        ({"encode": lambda self, s, t: 0 * s}, ("must tell the predictor something",)),
        ({"encode": lambda self, s, t: (t - s) - (t - s).mean()}, ("must not depend on its batch",)),
        ({"encode": lambda self, s, t: (t - s).cpu()}, ("encode()", "device")),
    ],
)
def test_actions(changes, words):
    caught("action", broken(Brighter, **changes), *words)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x if x.sum() > 0 else -x, ("must compile as one graph", "control flow")),
        (lambda x: torch.full_like(x, float(torch.compiler.is_compiling())), ("must compute the same when compiled",)),
    ],
)
def test_compilation(function, words):
    check_compiles("f()", lambda x: x + 1, IMAGES)
    with pytest.raises(AssertionError) as error:
        check_compiles("f()", function, IMAGES)
    assert [word for word in words if word not in str(error.value)] == []


def test_installed_actions_compile():
    """In a process whose functions do not check shapes as they run, which cannot be compiled."""
    code = """if True:
        from iwm_core.plugins import load_plugins
        from iwm_core.testing import check_action
        entries = load_plugins().entries("action")
        for entry in entries.values():
            assert not hasattr(entry.component.apply, "__wrapped__")
            check_action(entry.component())
        print(len(entries))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "6\n", done.stderr


def where(context=None, target=None):
    """A `select` that changes the good one's indices."""

    def select(self, draws, grid):
        good = Halves.select(self, draws, grid)
        return Targets(
            context(good.context, draws) if context else good.context,
            target(good.target, draws) if target else good.target,
        )

    return select


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"select": where(lambda c, d: c[0])}, ("context must be [b, k]",)),
        ({"select": where(target=lambda t, d: t[:, 0])}, ("target must be [b, m, t]",)),
        ({"select": where(lambda c, d: c.int())}, ("context must be int64",)),
        ({"select": where(lambda c, d: c[:, :0])}, ("context must not be empty", "ValueError")),
        ({"select": where(lambda c, d: c - 9)}, ("indices in [0, 144)",)),
        ({"select": where(target=lambda t, d: t + 1)}, ("indices in [0, 144)",)),
        ({"select": where(lambda c, d: c.flip(1))}, ("ascending",)),
        ({"select": where(target=lambda t, d: torch.arange(144).expand(len(t), 1, 144))}, ("context and target at once",)),
        ({"select": where(lambda c, d: c[:, torch.randperm(72)].sort(1).values)}, ("select()", "global random generators")),
        ({"select": where(lambda c, d: c[:, : 60 + int(d.integers(7)[0])])}, ("one size for the whole run",)),
        ({"select": where(lambda c, d: c[:1].expand_as(c), lambda t, d: t[:1].expand_as(t))}, ("must not depend on its batch",)),
        ({"select": where(lambda c, d: c[:, [0, 1]])}, ("select()", "device")),
    ],
)
def test_target_selectors(changes, words):
    caught("target_selector", broken(Halves, **changes), *words)


def test_target_selectors_repeat_themselves():
    shifts = iter(range(99))
    select = where(lambda c, d: c, lambda t, d: t.roll(next(shifts), dims=0))
    caught("target_selector", broken(Halves, select=select), "pure function of its draws")


def module_of(good, forward, **more):
    """The class of a module that answers otherwise."""
    return type(good.__name__, (good,), {"forward": forward, **more})


def encoder(function):
    """An encoder that changes the good one's tokens."""
    return {
        "module": module_of(
            PatchEncoder, lambda self, images, keep=None: function(PatchEncoder.forward(self, images, keep), self, images, keep)
        )
    }


def sized(**given):
    """An encoder that tells of another width or grid."""

    def build(self, image_size):
        module = PatchEncoder(image_size)
        for name, value in given.items():
            setattr(module, name, value)
        return module

    return {"build": build}


def dropping(x, module, images, keep):
    return nn.functional.dropout(x, 0.5)


def mixed(x, module, images, keep):
    everything = PatchEncoder.forward(module, images)
    return x + everything.mean(1, keepdim=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"build": lambda self, image_size: nn.Linear(1, 1)}, ("build() must return an iwm_core.interfaces.Encoder", "Linear")),
        (sized(width=None), ("needs `width`",)),
        (sized(grid=[4, 4]), ("needs `grid`", "tuple")),
        (sized(grid=(4, 4, 4)), ("grid must be (rows, columns)",)),
        (sized(width=13), ("patches must answer with [3, 16, 13], got [3, 16, 12]",)),
        (encoder(lambda x, m, i, k: x.double()), ("float32",)),
        (encoder(lambda x, m, i, k: x / 0), ("finite",)),
        (encoder(dropping), ("patches in evaluation mode", "global random generators")),
        (encoder(lambda x, m, i, k: x - x.mean(0)), ("each image alone", "no batch statistics")),
        (encoder(lambda x, m, i, k: x + images_in_place(i)), ("must leave its input unchanged",)),
        (encoder(lambda x, m, i, k: x.flip(1) if k is None else x), ("all patches are kept",)),
        (encoder(lambda x, m, i, k: x if k is None else x[:, k.argsort(1)[0]]), ("order of `keep`",)),
        (
            encoder(lambda x, m, i, k: x if k is None or k.shape[1] == 16 else mixed(x, m, i, k)),
            ("must not see the patches that `keep` leaves out",),
        ),
        (encoder(lambda x, m, i, k: x + torch.ones(12)), ("forward() must run on the device",)),
    ],
)
def test_encoders(changes, words):
    caught("encoder", broken(Patches, **changes), *words)


def images_in_place(images):
    images.mul_(0.5)
    return 0


class Idle(Mean):
    """Has weights that it does not use."""

    def __init__(self, width, outputs):
        super().__init__(width, outputs)
        self.spare = nn.Linear(2, 2)


class Forgetful(Mean):
    """Has a number of its own that is not saved."""

    def __init__(self, width, outputs):
        super().__init__(width, outputs)
        self.scale = float(torch.rand(1))

    def forward(self, tokens):
        return self.scale * super().forward(tokens)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"build": lambda self, width, outputs: torch.sum}, ("build() must return a module",)),
        ({"build": lambda self, width, outputs: Mean(width, outputs + 1)}, ("mean must answer with [3, 5], got [3, 6]",)),
        ({"module": Idle}, ("spare.weight, spare.bias can never learn",)),
        ({"module": Forgetful}, ("state_dict", "buffers")),
        ({"module": module_of(Mean, lambda self, x: self.linear(x[:, 1] if x.shape[1] > 1 else x[:, 0]).detach())}, ("can never learn",)),
        ({"dense": True, "module": module_of(Mean, lambda self, x: self.linear(x.mean((2, 3))))}, ("is dense", "[b, o, h, w]")),
    ],
)
def test_heads(changes, words):
    caught("head", broken(MeanHead, **changes), *words)


def predictor(function):
    """A predictor that changes the good one's answer."""

    def forward(self, context, where, action):
        return function(ToldPredictor.forward(self, context, where, action), context, where)

    return {"module": module_of(ToldPredictor, forward)}


class AlwaysTold(ToldPredictor):
    """Cannot do without an action."""

    def __init__(self, width, grid, action):
        super().__init__(width, grid, max(action, 1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (predictor(lambda x, c, w: x[:, 0]), ("told 3 numbers must answer with [3, 2, 3, 24], got [3, 3, 24]",)),
        (predictor(lambda x, c, w: x + c[:, None, :1]), ("know context tokens by their places",)),
        (predictor(lambda x, c, w: x + x[:, :, :1]), ("order of `where.target`",)),
        (predictor(lambda x, c, w: x + x.mean(1, keepdim=True)), ("groups must not see each other",)),
        (predictor(lambda x, c, w: x.round() + 0.1 if bool(x.sum() > 9e9) else x), ("forward() must run on the device",)),
    ],
)
def test_predictors(changes, words):
    caught("predictor", broken(Told, **changes), *words)


def test_predictors_of_recipes_without_actions():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):  # its author's own error, which says more than we could
        CHECKS["predictor"](broken(Told, module=AlwaysTold))


MADE: list[type] = []


def images_of(**changes):
    """A data source whose images are otherwise, and can be pickled, unlike their class."""
    number = len(MADE)
    MADE.append(type("LetterImages", (LetterImages,), {"__reduce__": lambda self: (reborn, (number, self.first)), **changes}))
    return {"module": MADE[number]}


def reborn(number, first):
    copy = MADE[number]("train")
    copy.first = first
    return copy


def torn(reason, *indices):
    """An `image` that fails for some indices, or for all."""

    def image(self, index):
        if not indices or index in indices:
            raise CorruptImage(reason)
        return LetterImages.image(self, index)

    return image


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"open": lambda self, split: LetterImages("train")}, ("open('no such split') must raise a ValueError",)),
        (images_of(__len__=lambda self: 0), ("has no images",)),
        (images_of(image=lambda self, i: torch.zeros(3, 6, 5)), ("image 0 of letters's train split must be uint8",)),
        (images_of(image=lambda self, i: torch.zeros(6, 5, dtype=torch.uint8)), ("must be [3, h, w]",)),
        (images_of(image=lambda self, i: torch.zeros(6, 5, 3, dtype=torch.uint8)), ("must be [3, h, w] in RGB",)),
        (images_of(image=lambda self, i: torch.zeros(3, 0, 5, dtype=torch.uint8)), ("has no pixels", "CorruptImage")),
        (images_of(image=lambda self, i: torch.randint(9, (3, 6, 5), dtype=torch.uint8)), ("global random generators",)),
        (images_of(image=torn("", 0)), ("image 0 of letters's train split is corrupt", "must say why")),
        (images_of(image=torn("torn")), ("not one of 32 images can be decoded",)),
        (images_of(__reduce__=lambda self: (lambda: None, ())), ("must be picklable", "lambda")),
        (images_of(images=lambda self, where: [self.image(0) for _ in where]), ("images() must give what image() gives", "image 1")),
        (images_of(describe=lambda self, i: ""), ("describe() must say",)),
        (images_of(label=lambda self, i: 2), ("a place in `classes`", "got 2, with 2 classes")),
        (images_of(label=lambda self, i: 0.5), ("must be an int", "float")),
        (images_of(labels=lambda self, i: torch.ones(3, dtype=torch.bool)), ("labels() of", "bool [2]")),
        (images_of(factor=lambda self, i: torch.ones(1)), ("factor() of", "[2]")),
        (images_of(factor=lambda self, i: torch.tensor([0.0, 2.0])), ("the factor 'half'", "a place in its `values`, got 2.0")),
        (images_of(mask=lambda self, i: torch.zeros(6, 5)), ("must be uint8",)),
        (images_of(mask=lambda self, i: torch.zeros(5, 6, dtype=torch.uint8)), ("height and width [6, 5], got [5, 6]",)),
        (images_of(mask=lambda self, i: torch.full((6, 5), 2, dtype=torch.uint8)), ("places in `mask_classes` or 255", "it has 2")),
    ],
)
def test_data_sources(changes, words):
    caught("data_source", broken(Letters, **changes), *words)


@pytest.mark.parametrize("what", ["classes", "factors", "mask_classes"])
def test_splits_are_alike(what):
    def reverse(self, split):
        LetterImages.__init__(self, split)
        if split == "validation":
            setattr(self, what, getattr(self, what)[::-1])

    known = {"factor": lambda self, index: torch.zeros(2)} if what == "factors" else {}
    caught("data_source", broken(Letters, **images_of(__init__=reverse, **known)), f"must have the same `{what}`")


def finds(**changes):
    """An evaluator that finds something else."""

    def found(self, metric, folder):
        return Spread.found(self, metric, folder)._replace(**changes)

    return {"found": found}


def metric(**changes):
    """An evaluator whose number is otherwise."""

    def found(self, metric, folder):
        good = Spread.found(self, metric, folder)
        return good._replace(metrics={"spread": metric._replace(**changes)})

    return {"found": found}


def writes(self, metric, folder):
    (folder / "notes.txt").write_text("mine")
    return Spread.found(self, metric, folder)


def forgets(self, metric, folder):
    return Spread.found(self, metric, folder)._replace(pictures=((folder / "spread_gone.png", "gone"),))


COUNTER = iter(range(10**6))
CHART = Chart("moon", "The moon", "night", "light", "lines", (), "Bright is good.")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"evaluate": lambda self, model, data, folder, track: {}}, ("must return an Evaluation, got dict",)),
        (finds(metrics={}), ("must measure something", "NotApplicable")),
        (finds(metrics={"Spread!": Metric(1, 1, 1, 1)}), ("'Spread!' must be called measure[.part][_control]",)),
        (metric(low=9.0), ("must lie in its interval",)),
        (metric(n=0), ("over how many images",)),
        (finds(about={}), ("`about` must explain the measure 'spread'",)),
        ({"found": lambda self, m, folder: Spread.found(self, Metric(next(COUNTER), -1, 1e9, 1), folder)}, ("the same numbers again",)),
        (finds(summary=""), ("needs a `summary`",)),
        (finds(charts=(CHART._replace(name="My chart"),)), ("the chart 'My chart' must be called",)),
        (finds(charts=(CHART, CHART)), ("each chart of spread must have a name of its own",)),
        ({"found": writes}, ("must name its files spread_…", "notes.txt")),
        ({"found": forgets}, ("pictures that it has not written", "spread_gone.png")),
        (
            {"found": lambda self, m, folder: Spread.found(self, m._replace(high=m.high + float(torch.rand(1))), folder)},
            ("global random generators",),
        ),
    ],
)
def test_evaluators(changes, words):
    caught("evaluator", broken(Spread, **changes), *words)


@pytest.mark.parametrize(("label", "total"), [("", 2), ("spread", -1)])
def test_progress_is_asked_for_in_full(label, total):
    def evaluate(self, model, data, folder, track):
        return Spread.evaluate(self, model, data, folder, lambda items, *told: track(items, label, total))

    caught("evaluator", broken(Spread, evaluate=evaluate), "track() needs")


def test_what_cannot_be_measured_is_passed_on():
    def evaluate(self, model, data, folder, track):
        raise NotApplicable("no moon tonight")

    with pytest.raises(NotApplicable, match="no moon tonight"):
        CHECKS["evaluator"](broken(Spread, evaluate=evaluate))

"""``iwm bench``: a recipe composed, its arms timed, a record printed and written."""

import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from iwm_report.displays import table_console
from iwm_tasks.tuning.counting import device_name
from omegaconf import OmegaConf

from iwm_bench.by_lightly import Lightly
from iwm_bench.command_line import Asked
from iwm_bench.counting import gflop_of, tokens_of
from iwm_bench.course import Course
from iwm_bench.peers import peers
from iwm_bench.record import KIND, Arm, Record, Spread, write
from iwm_bench.reference import Peer, Reference, gflop_of_peer, peer_step
from iwm_bench.table import compared, table
from iwm_bench.timing import Timed, Work, timed
from iwm_bench.verbs import DEFAULT, FED
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import kind_of
from iwm_core.process.display import Display, make_display
from iwm_core.process.launch import processes_of
from iwm_core.process.shown import tell
from iwm_core.recipe.thaw import thaw
from iwm_core.run.files import writing
from iwm_core.training.fits import check_data, check_fit
from iwm_core.training.kind import Pretraining
from iwm_core.training.pretraining import Pass
from iwm_core.training.starting import composed, settle

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def bench(asked: Asked) -> int:
    """Carry out ``iwm bench``; returns the exit status."""
    display = Display() if asked.given.json else make_display()
    record = measure(asked, display)
    if asked.out:
        write(record, asked.out)
    if asked.given.json:
        tell(json.dumps(record.as_json(), indent=1), keep="\n")
        return 0
    table_console().print(table(record))
    if asked.earlier:
        table_console().print(compared(record, *asked.earlier))
    for what, place in (("record", asked.out), ("trace", asked.trace)):
        if place:
            display.say(f"{what}: {place}")
    return 0


def measure(asked: Asked, display: Display) -> Record:
    """Measure what is asked for; a trace is written where one is asked for.

    Raises:
        UserError: the recipe cannot be composed, is of another kind, or does not fit the data or the machine.
    """
    config, notes = composed(asked.recipe, asked.overrides)
    for note in notes:
        display.warn(note)
    if decided := settle(config):
        display.say(decided)
    if kind_of(config).name != Pretraining.name:
        raise UserError(f"iwm bench measures pretraining, and {asked.recipe} is {kind_of(config).name}")
    recipe = thaw(config)
    if processes_of(recipe.launch) > 1:
        raise UserError("iwm bench measures one process; leave launch.processes, or a launcher, out, and divide train.batch_size by it")
    check_fit(recipe)
    fed = not {*FED}.isdisjoint(asked.arms)
    if fed:
        check_data(recipe)
    with tempfile.TemporaryDirectory() as folder:
        course = Course(recipe, Path(folder), fed, display)
        works = works_of(course, asked.arms, display)
        gflop = gflop_of(Pass(course.model, recipe.train.loss).train(), course.views, course.where)
        counted: dict[str, float] = {**dict.fromkeys(DEFAULT, gflop)}
        side, others = recipe.image_size, dict[str, Peer]()
        if asked.given.ijepa:
            others["ijepa"] = Reference(asked.given.ijepa, course.model, side)
        if asked.given.lightly:
            others["lightly"] = Lightly(course.model, side)
        for name, other in others.items():
            beside, count = beside_model(course, name, other)
            works, counted = works | beside, counted | dict.fromkeys(beside, count)
        blocks = asked.given.repeats, asked.given.seconds
        arms, product, rates = timed(works, *blocks, course.device, PRECISIONS[recipe.launch.precision], display.track)
        if asked.trace:
            write_trace(works, asked.trace)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    images, tokens = recipe.train.batch_size, tokens_of(course.where, course.model.student.grid)
    return Record(
        kind=KIND,
        recipe=asked.recipe,
        config=plain,
        device=course.device.type,
        device_name=device_name(course.device) if course.device.type == "cuda" else processor(),
        threads=torch.get_num_threads(),
        precision=recipe.launch.precision,
        compiled=recipe.launch.compile,
        images=images,
        tokens=tokens,
        gflop=gflop,
        product_side=product,
        product_tflops=Spread.of([rate / 1e12 for rate in rates]),
        arms={name: figures(arm, images, tokens.total, counted.get(name, 0), rates) for name, arm in arms.items()},
        versions={name: version(name) for name in ("iwm-core", "torch")} | {"python": platform.python_version()},
    )


def works_of(course: Course, names: Sequence[str], display: Display) -> dict[str, Work]:
    """The arms, at work, and beside the actions their peers."""
    micro = course.recipe.launch.accumulate
    works = {}
    for name in names:
        if name == "actions":
            if not course.step.actions.parts:
                raise UserError("there are no actions in this recipe; leave the arm actions out, or choose some: actions=[NAME,…]")
            works[name] = Work(once=lambda: [course.act() for _ in range(micro)])
            found, why = peers(course.recipe.actions, course.batch.images)
            works |= {peer: Work(once=lambda act=act: [act() for _ in range(micro)]) for peer, act in found.items()}
            for reason in why:
                display.warn(reason)
        else:
            if name == "decode" and course.recipe.data.cache != "none":
                raise UserError("the arm decode is what data workers do, and a cache needs none; set data.cache=none, or leave decode out")
            workers = course.recipe.launch.workers if name in FED and course.recipe.data.cache == "none" else 0
            works[name] = Work(
                once=lambda name=name: course.take(name),
                begin=lambda name=name: course.feed(name),
                waited=lambda: course.loop.tally.waited,
                workers=workers,
            )
    return works


def beside_model(course: Course, name: str, peer: Peer) -> tuple[dict[str, Work], float]:
    """A peer's step in the recipe's precision, and in fp32 where that is another; and its GFLOP an image.

    Raises:
        UserError: the recipe's step is of several micro-batches.
    """
    if course.recipe.launch.accumulate > 1:
        raise UserError(f"--{name} measures a step of one micro-batch; use launch.accumulate=1")
    precision = course.recipe.launch.precision
    peer = peer.to(course.device).train()
    names = {name: precision} | ({f"{name} fp32": "fp32"} if precision != "fp32" else {})
    steps = {row: peer_step(peer, course.views, course.where, PRECISIONS[kept]) for row, kept in names.items()}
    return {row: Work(once=step) for row, step in steps.items()}, gflop_of_peer(peer, course.views, course.where)


def figures(arm: Timed, images: int, tokens: int, gflop: float, rates: list[float]) -> Arm:
    """What an arm's blocks come to; ``gflop`` an image is 0 where no model is in it."""
    seconds = [block.seconds for block in arm.blocks]
    pace = [images / one for one in seconds]
    busy = [gflop * 1e9 * one / rate for one, rate in zip(pace, rates, strict=True)]
    return Arm(
        steps=arm.steps,
        seconds=Spread.of(seconds),
        images_per_s=Spread.of(pace),
        tokens_per_s=Spread.of([one * tokens for one in pace]) if gflop else None,
        mfu=Spread.of(busy) if gflop else None,
        data_wait=Spread.of([block.data_wait for block in arm.blocks]),
        operations=arm.dispatched.operations,
        waits=arm.dispatched.waits,
        peak_memory=max(block.peak_memory for block in arm.blocks),
    )


def write_trace(works: dict[str, Work], place: Path) -> None:
    """Write what one step of each arm does, in order, as a trace for chrome://tracing or ui.perfetto.dev."""
    from torch.profiler import profile, record_function

    with profile() as profiler:
        for name, work in works.items():
            work.begin()
            work.once()
            with record_function(f"arm: {name}"):
                work.once()
    with writing(place):
        profiler.export_chrome_trace(str(place))


def processor() -> str:
    """What the host's processor is called."""
    cpus = Path("/proc/cpuinfo")
    lines: list[Any] = cpus.read_text(encoding="utf-8").splitlines() if sys.platform == "linux" else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()

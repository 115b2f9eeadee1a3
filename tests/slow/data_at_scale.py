"""Whether the data keeps up and stays as cheap when there is more of it, by CPU time, of files and of tar shards.

    python tests/slow/data_at_scale.py feeding           # what decoding could feed, and what the loop takes of it
    python tests/slow/data_at_scale.py handing           # what it costs to hand a batch over
    python tests/slow/data_at_scale.py growth            # time and memory an image, from 10^3 to 10^6 images
    python tests/slow/data_at_scale.py listing 1300000   # seconds to open a folder of so many files, the first time and the second
    python tests/slow/data_at_scale.py resumes           # a run over shards, gone on with three times by other workers and processes

CPU time is that of all processes, in several turns: another's load slows what is timed by a clock.
"""

import gc
import io
import json
import os
import pickle
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

FURNITURE = Path(__file__).parents[1] / "furniture"
sys.path[:0] = [str(FURNITURE)]

from iwm_data.folder import Folder  # noqa: E402
from iwm_data.indexing import indexes_of  # noqa: E402
from iwm_data.kept import Found  # noqa: E402
from iwm_data.names import Names  # noqa: E402
from iwm_data.shard_images import ShardImages  # noqa: E402
from iwm_data.shard_names import shards_named  # noqa: E402
from iwm_data.shards import Shards  # noqa: E402
from tar_shards import tar_of, write_shards  # noqa: E402

from iwm_core.data.loader import Batch, DecodedViews, on_device  # noqa: E402
from iwm_core.data.order import Schedule  # noqa: E402
from iwm_core.data.reading import Reader  # noqa: E402
from iwm_core.data.workers import made_in_order  # noqa: E402
from iwm_core.recipe.config import View  # noqa: E402

SIDE, VIEW, BATCH = 400, 224, 64


def jpegs(count: int) -> list[bytes]:
    """Images with the content of photographs, about: smooth, with some grain; 45 kB each."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (13, 13, 3), np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        grain = np.asarray(coarse).astype(int) + rng.integers(-12, 13, (SIDE, SIDE, 3))
        file = io.BytesIO()
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        made.append(file.getvalue())
    return made


def write(folder: Path, count: int) -> None:
    """The same images as files and in tar shards."""
    images = jpegs(count)
    (folder / "files/a").mkdir(parents=True)
    (folder / "shards").mkdir()
    for number, data in enumerate(images):
        (folder / f"files/a/{number:06}.jpg").write_bytes(data)
    for start in range(0, count, 64):
        numbers = range(start, min(start + 64, count))
        members = [(f"{n:06}.{ending}", content) for n in numbers for ending, content in (("jpg", images[n]), ("cls", b"0"))]
        (folder / f"shards/{start:06}.tar").write_bytes(tar_of(members))


def spent() -> tuple[float, float]:
    """CPU seconds of this process, and of those that it has waited for."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds that work takes here, and in processes that end with it."""
    before = spent()
    work()
    return tuple(after - first for after, first in zip(spent(), before, strict=True))  # pyright: ignore[reportReturnType]


def loop(make: Callable[[Any], Batch], parts: list[Any], workers: int) -> None:
    """A training's batches, with a model of no cost."""
    for batch in made_in_order(make, parts, workers, ahead=4):
        on_device(batch, torch.device("cpu"))


def alone(make: Callable[[Any], Batch], parts: list[Any], workers: int) -> None:
    """The same batches by as many processes at once, which hand nothing over: what decoding could feed."""
    children = []
    for worker in range(workers):
        if (child := os.fork()) == 0:
            for part in parts[worker::workers]:
                make(part)
            os._exit(0)
        children.append(child)
    assert not any(os.waitpid(child, 0)[1] for child in children)


def each(work: Callable[..., None], make: Callable[[Any], Batch], few: list[Any], many: list[Any]) -> tuple[float, ...]:
    """Milliseconds of CPU that a part takes here, and in two workers, without their start."""
    short, long = (cost(lambda parts=parts: work(make, parts, 2)) for parts in (few, many))
    return tuple(1000 * (b - a) / (len(many) - len(few)) for a, b in zip(short, long, strict=True))


def handing(turns: int = 7) -> None:
    """What it costs to hand a batch over: the loop beside the same that hands nothing over, of batches that are only copied."""
    torch.set_num_threads(1)
    views = torch.randint(256, (BATCH, 3, VIEW, VIEW), dtype=torch.uint8)
    parts, found = [torch.arange(BATCH)] * 240, list[tuple[float, ...]]()

    def copied(part: Any) -> Batch:
        return Batch(views.clone(), None, torch.empty(BATCH, 0), part, 0, [])

    def looked_at(make: Callable[[Any], Batch], parts: list[Any], workers: int) -> None:
        for _ in made_in_order(make, parts, workers, ahead=4):
            pass

    for _ in range(turns):
        (_, without), (own, workers) = each(alone, copied, parts[:40], parts), each(looked_at, copied, parts[:40], parts)
        found.append((own, workers - without))
    own, workers = (statistics.median(part) for part in zip(*found, strict=True))
    print(f"ms of CPU to hand over {BATCH} views: {workers:.1f} of a worker, {own:.1f} of the main process; median of {turns} turns")


def feeding(count: int = 512, turns: int = 5) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), count)
        few, many = count // BATCH, 5 * count // BATCH
        sources = {
            "files": Folder(path=f"{name}/files", holdout=0).open("train"),
            "shards": Shards(path=f"{name}/shards", holdout=0, index=f"{name}/index").open("train"),
        }
        found: dict[str, list[tuple[float, ...]]] = {}
        for _ in range(turns):
            for kind, images in sources.items():
                make, parts = DecodedViews(Reader(images), View(), VIEW, 0), list(Schedule(0, count, BATCH).slices(0, many, 0, 1))
                for what, work in ("alone", alone), ("in the loop", loop):
                    found.setdefault(f"{kind}, {what}", []).append(each(work, make, parts[:few], parts))
        ms = {what: [statistics.median(part) / BATCH for part in zip(*all_, strict=True)] for what, all_ in found.items()}
        print(f"ms of CPU an image, {SIDE} px to views of {VIEW} px by 2 processes at once; median of {turns} turns")
        for what, (own, workers) in ms.items():
            print(f"  {what:20} {workers:6.3f} of the workers, {own:5.3f} of the main process")
        for kind in sources:
            rate = ms[f"{kind}, alone"][1] / ms[f"{kind}, in the loop"][1]
            print(f"  {kind}: in the loop, workers make {rate:.1%} of the views that they could make alone")
        print(f"  shards take {ms['shards, in the loop'][1] / ms['files, in the loop'][1]:.3f} times a worker's CPU of files")


def grown(folder: str, count: int) -> ShardImages:
    """A shard's images whose index has ``count`` entries, of the same files over and over: what grows is the index alone."""
    places = shards_named(f"{folder}/shards", "data.path")
    stamps, (index,), _ = indexes_of(places, Shards(path="x").wanted, f"{folder}/index")
    few, names = Names.unpacked(index.arrays["block"], index.arrays["ends"]), Names()
    for number in range(count):
        names.append(few[number % len(few)])
    block, ends = names.packed()
    rows = np.arange(count) % len(few)
    arrays = {name: values[rows] for name, values in index.arrays.items() if name not in ("block", "ends")}
    return ShardImages(places, stamps, [Found(index.record, {**arrays, "block": block, "ends": ends})])


def held_by(make: Callable[[], object], turns: int = 5) -> int:
    """Bytes that something takes once it is made, the least of several turns: others' caches grow now and then, too."""
    found = []
    for _ in range(turns):
        gc.collect()
        tracemalloc.start()
        made = make()
        gc.collect()
        found.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del made
    return min(found)


def growth(turns: int = 7) -> None:
    torch.set_num_threads(1)
    sizes, steps = (10**3, 10**4, 10**5, 10**6), 8
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), 64)
        grown(name, 64)  # what is made once is not any split's
        splits, memory, sent, times = {}, {}, {}, {size: [] for size in sizes}
        for size in sizes:
            held = [held_by(lambda count=count: grown(name, count)) for count in (64, size)]  # what any split takes is not its images'
            splits[size] = grown(name, size)
            schedule = Schedule(0, size, BATCH)
            sent[size] = len(pickle.dumps(schedule.part(0, 0)))
            memory[size] = (held[1] - held[0]) * size / (size - 64) + schedule._order.nbytes
        for _ in range(turns):
            for size in sizes:
                begun, order = time.process_time(), Schedule(0, size, BATCH)
                order.part(0, 0)
                ordering = (time.process_time() - begun) / size
                make, parts = DecodedViews(Reader(splits[size]), View(), VIEW, 0), list(order.slices(0, steps, 0, 1))
                begun = time.process_time()
                for part in parts:
                    make(pickle.loads(pickle.dumps(part)))
                times[size].append((ordering, (time.process_time() - begun) / steps / BATCH))
        print(f"{'images':>10} {'µs an image':>12} {'of it order':>12} {'bytes an image':>15} {'bytes sent a step':>18}")
        for size in sizes:
            ordering, step = (1e6 * min(part) for part in zip(*times[size], strict=True))
            print(f"{size:10,} {ordering + step:12.1f} {ordering:12.3f} {memory[size] / size:15.1f} {sent[size]:18,}")


def listing(count: int = 1_300_000, folders: int = 1000) -> None:
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = f"{name}/cache"
        for number in range(folders):
            place = f"{name}/images/n{number:08}"
            os.makedirs(place)  # noqa: PTH103 - a million paths
            for image in range(count // folders):
                os.close(os.open(f"{place}/n{number:08}_{image}.JPEG", os.O_CREAT | os.O_WRONLY))
        time.sleep(3)
        code = (
            "import time, sys\nfrom iwm_data.folder import Folder\nbegun, cpu = time.perf_counter(), time.process_time()\n"
            "source = Folder(path=sys.argv[1], extensions=['JPEG'], white=255)\n"
            "counts = [len(source.open(split)) for split in ('train', 'validation')]\n"
            "print(f'{sum(counts):,} files: {time.perf_counter() - begun:.1f} s, of CPU {time.process_time() - cpu:.1f}; both splits')\n"
        )
        for when in "first", "second", "third":
            print(when, end=" time, ", flush=True)
            subprocess.run([sys.executable, "-c", code, f"{name}/images"], check=True)
        place = next(Path(f"{name}/cache/iwm/listings").iterdir())
        print(f"kept: {place.stat().st_size / 1e6:.0f} MB")


NOTING = '''
"""Notes the images of each step, and ends the run where it is told to."""
import json, os, signal
from iwm_core import hookimpl


@hookimpl
def iwm_train_start():
    from iwm_core.training.pretraining import Step

    learn = Step.learn
    if getattr(learn, "noting", False):
        return

    def noted(self, batch):
        rank = self.loop.accelerator.process_index
        with open(os.environ["NOTED"] + f".{os.getpid()}", "a") as file:
            file.write(json.dumps([self.loop.step, batch.epoch, rank, batch.index.tolist(), os.environ["STOP_AT"]]) + "\\n")
        if rank == 0 and self.loop.step == int(os.environ["STOP_AT"]) - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return learn(self, batch)

    noted.noting = True
    Step.learn = noted
'''


def resumes() -> None:
    plan = [(1, 2, 5), (2, 0, 9), (1, 1, 14), (2, 1, 999)]  # processes, workers, the step after which the run is stopped
    steps, batch, count = 20, 8, 64
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shards(folder / "shards", 4, count // 4)
        site = folder / "site/noting-0.dist-info"
        site.mkdir(parents=True)
        (folder / "site/noting.py").write_text(NOTING)
        (site / "METADATA").write_text("Metadata-Version: 2.1\nName: noting\nVersion: 0\n")
        (site / "entry_points.txt").write_text("[iwm]\nnoting = noting\n")
        small = ["image_size=32", "encoder.patch_size=8", "encoder.depth=1", "predictor.depth=1", "actions=[]", "launch.device=cpu"]
        begin = ["train", "recipe=quickstart", "data=shards", f"data.path={folder}/shards", "data.holdout=0.1", "evaluators=[]", *small]
        begin += [f"train.steps={steps}", f"train.batch_size={batch}", "train.log_every=1", "train.lr.warmup=1", "run=r", "data.cache=none"]
        path = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path, "NOTED": str(folder / "noted"), "XDG_CACHE_HOME": f"{name}/cache"}
        for turn, (processes, workers, stop) in enumerate(plan):
            words = [*(["resume", "r"] if turn else begin), f"launch.processes={processes}", f"launch.workers={workers}"]
            done = subprocess.run(
                [sys.executable, "-m", "iwm_core.cli", *words],
                cwd=folder, env={**environment, "STOP_AT": str(stop)}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            expected = 128 + signal.SIGTERM if stop < steps else 0
            assert done.returncode == expected, f"{words}: {done.returncode} {done.stderr[-2000:]}"
        noted = [json.loads(line) for file in folder.glob("noted.*") for line in file.read_text().splitlines()]
        images = len(Shards(path=f"{folder}/shards", holdout=0.1).open("train"))
        schedule = Schedule(0, images, batch)
        by_step: dict[int, list[list]] = {}
        for line in noted:
            by_step.setdefault(line[0], []).append(line)
        assert sorted(by_step) == list(range(steps)), sorted(by_step)
        epochs: dict[int, Counter] = {}
        for step, lines in sorted(by_step.items()):
            assert len({line[4] for line in lines}) == 1, f"step {step} was taken twice"
            seen = [index for line in sorted(lines, key=lambda line: line[2]) for index in line[3]]
            assert seen == schedule.part(step, 0).index.tolist(), f"step {step}"
            epochs.setdefault(lines[0][1], Counter()).update(seen)
        assert all(max(counts.values()) == 1 for counts in epochs.values())
        print(f"{steps} steps of {batch} in {len(epochs)} epochs of {images} images, by {plan}: the schedule's order, nothing twice")


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    {"feeding": feeding, "handing": handing, "growth": growth, "listing": listing, "resumes": resumes}[verb](*map(int, rest))

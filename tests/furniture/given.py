"""What tests are given: the tiny plugin registered as pip would, command lines, a fork server, images; for the tests of plugins, too."""

import functools
import importlib.metadata
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_plugin
from kept_runs import kept_runs, owner_of
from PIL import Image
from plugin_packages import site  # noqa: F401  # a fixture
from served import servers
from tiny_tuning import Worlds

from iwm_core.cli import builtin
from iwm_core.cli.main import dispatch, guarded
from iwm_core.plugins.loader import Plugin, load_plugins


@functools.cache
def installed():
    """The entry points of the environment, whose metadata, of hundreds of packages, is read once for all tests."""
    points = importlib.metadata.entry_points(group="iwm")
    dists = {point.dist.name: SimpleNamespace(metadata=dict(point.dist.metadata), requires=point.dist.requires) for point in points}
    return [SimpleNamespace(name=point.name, dist=dists[point.dist.name], load=point.load) for point in points]


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The tiny plugin among the installed ones, and an empty working directory."""
    load_plugins.cache_clear()
    known = installed()
    with monkeypatch.context() as patch:
        patch.setattr("importlib.metadata.entry_points", lambda group: known)
        plugins = load_plugins()
    plugins.plugins.append(Plugin("tiny", "tiny-plugin", "0", tiny_plugin))
    plugins.manager.register(tiny_plugin)
    monkeypatch.chdir(tmp_path)
    yield plugins
    load_plugins.cache_clear()


@pytest.fixture(scope="session")
def every_run(tmp_path_factory):
    """The runs that tests of this session begin from."""
    with kept_runs(tmp_path_factory.getbasetemp()) as runs:
        yield runs


@pytest.fixture
def kept(tiny, every_run, request):
    """Make a run in the working directory as a command line does, which is carried out only once a session."""
    return lambda *words: every_run.copy(*words, owner=owner_of(request.path))


@pytest.fixture(scope="session")
def worlds(every_run):
    """Makes tiny world models for tunings, once for each choice of options; to be asked where the tiny plugin is installed."""
    return Worlds(every_run)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A fork server, which all tests of a process share."""
    with servers(tmp_path_factory.mktemp("served"), 1) as (one,):
        yield one


@pytest.fixture
def commands(server, tmp_path):
    """Run command lines through the fork server, in an empty directory."""

    def run(*args: str, kill_after: float | None = None) -> int:
        return server.run({"args": args, "kill_after": kill_after, "folder": str(tmp_path)}).status

    run.folder = tmp_path
    return run


@pytest.fixture
def iwm(tiny, capsys):
    """Run a command line in this process; returns status and the text on standard error."""

    def run(*words):
        status = guarded(lambda: dispatch([str(w) for w in words]))
        return status, capsys.readouterr().err

    return run


@pytest.fixture
def fake_entry_points(monkeypatch):
    """Replace the environment's entry points, but for the core's own, by given (name, distribution, loader) triples."""

    def install(*points):
        load_plugins.cache_clear()
        points = (("core", "iwm-core", builtin), *points)
        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda group: [FakePoint(*point) for point in points] if group == "iwm" else []
        )
        return load_plugins()

    yield install
    load_plugins.cache_clear()


class FakeDistribution:
    def __init__(self, name):
        self.metadata = {"Name": name, "Version": "1.0"}
        self.requires = None


class FakePoint:
    def __init__(self, name, distribution, module):
        self.name, self.dist, self.module = name, FakeDistribution(distribution), module

    def load(self):
        if isinstance(self.module, Exception):
            raise self.module
        return self.module


@pytest.fixture
def image_folder(tmp_path):
    """Small PNG files: two classes of 16 in train, of 8 in validation."""
    for split, count in (("train", 16), ("validation", 8)):
        for label in ("a", "b"):
            folder = tmp_path / "images" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = np.random.default_rng(i + 100 * (label == "b")).integers(0, 256, (18, 22, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return tmp_path / "images"


@pytest.fixture
def parquet(image_folder):
    """The same images as parquet files with the columns image and label."""
    target = image_folder.parent / "parquet"
    target.mkdir()
    for split in ("train", "validation"):
        paths = sorted((image_folder / split).rglob("*.png"))
        images = pa.array([{"bytes": p.read_bytes(), "path": p.name} for p in paths])
        pq.write_table(pa.table({"image": images, "label": [int(p.parent.name == "b") for p in paths]}), target / f"{split}.parquet")
    return target


@pytest.fixture
def here(monkeypatch, tmp_path):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path

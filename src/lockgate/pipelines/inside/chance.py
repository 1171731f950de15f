"""The same chance for every step, whichever ran before it: Python's own, and that of the libraries that draw numbers.

A library that a step loads by itself is given its chance in the moment in which it is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

SEEDS = 2**32  # numpy and Keras take no larger ones


@contextmanager
def chance(seed: int) -> Iterator[None]:
    """Set it, and for the length of the block that of whatever is loaded in it. Libraries that are not there are not missed."""
    for name, give in GIVERS.items():
        if name in sys.modules:
            give(sys.modules[name], seed)
    seeder = _Seeder(seed)
    sys.meta_path.insert(0, seeder)
    try:
        yield
    finally:
        sys.meta_path.remove(seeder)


def _keras(keras: Any, seed: int) -> None:
    """Its own generator is forgotten, too; it sets those of Python, numpy and its backend on the way."""
    keras.utils.set_random_seed(seed % SEEDS)


def _python(random: Any, seed: int) -> None:
    random.seed(seed)


def _numpy(numpy: Any, seed: int) -> None:
    """Of the old functions (`numpy.random.normal`); a generator that is made without a seed takes the machine's chance."""
    numpy.random.seed(seed % SEEDS)


def _tensorflow(tensorflow: Any, seed: int) -> None:
    """Its way to deterministic operations refuses those that have none, so that is left to the pipeline."""
    tensorflow.random.set_seed(seed % SEEDS)


def _torch(torch: Any, seed: int) -> None:
    """And the deterministic form of each operation that has one; PyTorch warns of one that has none, and goes on."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False  # it picks the faster of two ways by the clock


Give = Callable[[Any, int], None]
GIVERS: dict[str, Give] = {
    "keras": _keras, "random": _python, "numpy": _numpy, "tensorflow": _tensorflow, "torch": _torch,
}  # fmt: skip


class _Seeder(MetaPathFinder):
    """Finds nothing itself: what others find of these libraries is loaded as ever, and given its chance then."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the first other finder that knows it."""
        if name not in GIVERS:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = next((spec for finder in others if (spec := finder.find_spec(name, path, target))), None)
        if found is not None and found.loader is not None:
            found.loader = _Then(found.loader, GIVERS[name], self._seed)
        return found


class _Then(Loader):
    """A library's own loader, and its chance after it. The module never sees it."""

    def __init__(self, loader: Loader, give: Give, seed: int) -> None:
        self._loader, self._give, self._seed = loader, give, seed

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As its own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As its own loader, then the chance."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._give(module, self._seed)

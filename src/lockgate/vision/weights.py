"""Weights from a file, a folder, an installed package or a hub; what of them fits a network, and what does not, in words.

python -m lockgate.vision.weights resnet18 DEFAULT weights/     # where there is a network: a pipeline has none
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.errors import InvalidInput, LockgateError, NotFound, Unavailable, Unsafe
from lockgate.late import late
from lockgate.runner.torch_module import safetensors

if TYPE_CHECKING:
    import torch
    import torchvision
else:
    torch = late("torch")
    torchvision = late("torchvision")


ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
PACKAGE, HUB, NONE = "package:", "hub:", "none"
WRAPPED = ("state_dict", "model", "model_state_dict", "state_dict_ema", "net")
PREFIXES = ("module.", "_orig_mod.")
LEAST_SHARE = 0.5  # of a network's numbers: below it these are another architecture's weights
LARGEST_HEADER = 100 * 2**20


@dataclass(frozen=True)
class Loaded:
    """What of a file went into a network. `share`: of the network's numbers; `replaced`: layers of another shape (the head)."""

    share: float
    replaced: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    def in_words(self) -> str:
        """One sentence."""
        said = f"{self.share:.1%} of the network's numbers come from the weights".replace("%", " %")
        if self.replaced:
            said += f"; new, for another number of classes: {', '.join(self.replaced[:6])}"
        if self.missing:
            said += f"; not in the weights: {', '.join(self.missing[:6])}"
        return said + (f"; not used: {', '.join(self.unused[:6])}" if self.unused else "")


def find_file(said: str) -> Path:
    """The one weights file of a path, folder or `package:NAME/inside/it`. Raises NotFound, InvalidInput."""
    place = _in_package(said.removeprefix(PACKAGE)) if said.startswith(PACKAGE) else Path(said).expanduser()
    if place.is_file():
        return place
    if not place.is_dir():
        raise NotFound(f"there are no weights at {said}", allowed=f"a file or folder of {', '.join(ENDINGS)}")
    files = sorted(path for path in place.rglob("*") if path.suffix in ENDINGS and path.is_file())
    if len(files) != 1:
        raise InvalidInput(f"{said} does not hold one file of weights", got=", ".join(file.name for file in files) or "none",
                           allowed=", ".join(ENDINGS), fix="name the file")  # fmt: skip
    return files[0]


def digest_of(said: str) -> str:
    """What decides a training about its weights: the file's bytes, or the hub's name."""
    if said == NONE or said.startswith(HUB):
        return said
    with find_file(said).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _in_package(said: str) -> Path:
    name, _, inside = said.partition("/")
    found = importlib.util.find_spec(name)
    places = list(found.submodule_search_locations or []) if found is not None else []
    if not places:
        raise NotFound(f"no package '{name}' is installed", fix=f"pip install the package that brings {said}")
    return Path(places[0]) / inside


def load_state(path: Path) -> dict[str, Any]:
    """The tensors of a file by name. Nothing in it is run. Raises InvalidInput, Unsafe."""
    if path.suffix == ".safetensors":
        return _safetensors(path)
    try:
        said = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:
        if (
            "weights_only" in str(error)
            or "Unsupported" in str(error)
            or type(error).__name__ == "UnpicklingError"
        ):
            raise Unsafe(f"{path.name} holds more than tensors", got=str(error).splitlines()[0][:200],
                         fix="save the state_dict alone: torch.save(model.state_dict(), FILE)") from error  # fmt: skip
        raise InvalidInput(
            f"{path.name} is no whole file of weights", got=str(error).splitlines()[0][:200]
        ) from error
    for name in WRAPPED:
        if isinstance(said, Mapping) and isinstance(said.get(name), Mapping):
            said = said[name]
    if not isinstance(said, Mapping) or not all(hasattr(value, "shape") for value in said.values()):
        raise InvalidInput(f"{path.name} holds no tensors by name", got=type(said).__name__)
    return {_plain(str(name)): value for name, value in said.items()}


def fit_state(network: Any, state: Mapping[str, Any], source: str) -> Loaded:
    """Give a network what fits of the weights. Raises InvalidInput for those of another architecture."""
    own = network.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    total = sum(value.numel() for value in own.values())
    made = Loaded(
        share=sum(own[name].numel() for name in fitting) / max(1, total),
        replaced=tuple(name for name in own if name in state and name not in fitting),
        missing=tuple(name for name in own if name not in state and not name.endswith("num_batches_tracked")),
        unused=tuple(name for name in state if name not in own),
    )
    if made.share < LEAST_SHARE:
        raise InvalidInput("these weights belong to another architecture", got=f"{source}: {made.in_words()}",
                           fix="name the architecture that they were trained with")  # fmt: skip
    network.load_state_dict(fitting, strict=False)
    return made


def from_hub(architecture: str, name: str) -> dict[str, Any]:
    """torchvision's own weights, downloaded. Raises InvalidInput for a name that there is not, Unavailable without a network."""
    try:
        known = torchvision.models.get_model_weights(architecture)
        chosen = known[name] if name != "DEFAULT" else known.DEFAULT
    except (KeyError, ValueError, AttributeError) as error:
        raise InvalidInput(f"the hub has no weights '{name}' of {architecture}", got=error) from error
    try:
        return dict(chosen.get_state_dict(progress=False))
    except OSError as error:
        raise Unavailable(
            f"the weights {name} of {architecture} cannot be fetched", got=error,
            fix=f"a pipeline has no network: python -m lockgate.vision.weights {architecture} {name} weights/ where there is "
                "one, then weights: PATH",
        ) from error  # fmt: skip


def _safetensors(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file. Raises InvalidInput for one that is cut off or no such file."""
    with path.open("rb") as file:
        first = file.read(8)
    size = int.from_bytes(first, "little")
    if len(first) < 8 or size > LARGEST_HEADER:
        raise InvalidInput(f"{path.name} is no whole safetensors file", got=f"a header of {size} bytes")
    try:
        made = {_plain(name): tensor for name, tensor in safetensors(str(path)).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{path.name} is no whole safetensors file", got=f"{type(error).__name__}: {error}"
        ) from error
    if not made:
        raise InvalidInput(f"{path.name} is no whole safetensors file", got="no tensors")
    return made


def _plain(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def main(words: list[str]) -> int:
    """`ARCHITECTURE NAME FOLDER`; the exit status."""
    if len(words) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    architecture, name, folder = words
    try:
        state = from_hub(architecture, name)
    except LockgateError as error:
        print(error.sentence(), file=sys.stderr)
        return 1
    Path(folder).mkdir(parents=True, exist_ok=True)
    torch.save(state, str(Path(folder) / f"{architecture}-{name}.pth"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

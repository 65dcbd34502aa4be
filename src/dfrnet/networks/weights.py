"""ImageNet weights from a file into a network: safetensors only, names as torchvision and timm give them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfrnet.types import UserError

if TYPE_CHECKING:
    from torch import nn

PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".tar")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """``tensors``: the names that were filled; ``left``: why each other one keeps its initial values."""

    tensors: tuple[str, ...]
    left: dict[str, str]


def load_weights(module: nn.Module, path: Path, *, names: Callable[[str], str] = str) -> Loaded:
    """Fill ``module`` from a safetensors file, tensor by tensor, wherever name and shape agree.

    ``names`` turns a name of ``module`` into the file's. What the file lacks or holds in another shape (a first
    convolution for other channels, a classifier for other classes) stays as initialised. UserError where the file
    cannot be read, is a pickle, or fills fewer than half of the tensors.
    """
    import torch

    own = module.state_dict()
    found, left = {}, {}
    with _opened(path) as file:
        held = set(file.keys())
        for name, tensor in own.items():
            theirs = names(name)
            shape = tuple(file.get_slice(theirs).get_shape()) if theirs in held else None
            if shape is None:
                left[name] = "not in the file"
            elif shape == tensor.shape:
                found[name] = file.get_tensor(theirs)
            else:
                left[name] = f"{list(shape)} in the file, {list(tensor.shape)} here"
    # A counter of steps, which files often lack and which nothing here reads.
    left = {name: why for name, why in left.items() if not name.endswith("num_batches_tracked")}
    if len(found) < len(left):
        raise UserError(
            f"{path}: its weights are for another network: {len(found)} of {len(found) + len(left)} tensors fit; it "
            f"holds {_first(sorted(held))}, and {_first([names(name) for name in left])} are wanted"
        )
    with torch.no_grad():
        for name, tensor in found.items():
            own[name].copy_(tensor)
    log.info("%s: %d tensors taken, %d left as initialised: %s", path, len(found), len(left), ", ".join(left))
    return Loaded(tuple(found), left)


def described(path: Path) -> str:
    """What a record says of a weights file: its name and the start of its sha256, never where it lay."""
    try:
        with path.open("rb") as file:
            return f"{path.name} (sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:16]})"
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a safetensors file of weights") from None


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    if path.suffix in PICKLES:
        raise UserError(
            f"{path}: a pickle, which may run code when it is read; where you trust it, convert it once: python -c "
            f'"import torch; from safetensors.torch import save_file; save_file(torch.load({path.name!r}, '
            f'weights_only=True), {path.stem + ".safetensors"!r})"'
        )
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); name a safetensors file of weights") from None


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "nothing"

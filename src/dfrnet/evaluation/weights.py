"""Weights that the authors of a method published, one file per subject -> a run like any other.

Each file is the network that was trained without its subject, and answers for that subject's clips only. Files of
PyTorch are pickles: they are read with ``weights_only=True``, which builds tensors and runs no code.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dfrnet import __version__
from dfrnet.datasets import described
from dfrnet.datasets.released_maps import map_key
from dfrnet.evaluation.protocols import loso
from dfrnet.evaluation.records import FoldRecord, Run, fold_path, load_run, write_json, write_predictions
from dfrnet.evaluation.run import clip_table
from dfrnet.frames import read_image
from dfrnet.methods import METHODS
from dfrnet.types import CLASSES, Array, Clip, UserError, unknown_name

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

ORIGIN = "published by the authors, one file per subject"
"""What the record of such a run says under ``weights``."""

STSTNET_MAPS = ("strain", "v", "u")
"""What the authors' network sees as its first, second and third channel: OpenCV reads a picture blue first."""

STSTNET_SIZE = 28
STSTNET_SHAPES: dict[str, tuple[int, ...]] = {
    **{f"conv{k}.weight": (filters, 3, 3, 3) for k, filters in enumerate((3, 5, 8), start=1)},
    **{f"conv{k}.bias": (filters,) for k, filters in enumerate((3, 5, 8), start=1)},
    **{
        f"bn{k}.{name}": (filters,)
        for k, filters in enumerate((3, 5, 8), start=1)
        for name in ("weight", "bias", "running_mean", "running_var")
    },
    **{f"bn{k}.num_batches_tracked": () for k in (1, 2, 3)},
    "fc.weight": (len(CLASSES), 16 * 5 * 5),
    "fc.bias": (len(CLASSES),),
}
"""The authors' state dict (github.com/christy1206/STSTNet, the PyTorch port)."""

Answers = Callable[[Path, Sequence[Clip]], npt.NDArray[np.float64]]


def ststnet(path: Path, clips: Sequence[Clip]) -> npt.NDArray[np.float64]:
    """Probabilities (N, 3) of the authors' network in ``path``, for clips that come with u, v and strain.

    It is fed as the authors feed it: pixels 0..255 as they are stored, not centred, not scaled, strain first.
    """
    import torch

    from dfrnet.networks.ststnet import STSTNet

    network = STSTNet(len(STSTNET_MAPS), STSTNET_SIZE, len(CLASSES)).eval()
    network.load_state_dict(joined_streams(read_state(path, STSTNET_SHAPES)))
    x = np.stack([raw_maps(clip, STSTNET_MAPS, STSTNET_SIZE) for clip in clips])
    with torch.inference_mode():
        found = network(torch.from_numpy(x)).double().softmax(1)
    return np.asarray(found.numpy(), np.float64)


PUBLISHED: dict[str, Answers] = {"ststnet": ststnet}
"""Methods with such weights: (file, clips of its subject) -> probabilities, their classes in the order of CLASSES."""


def joined_streams(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' three streams as the one convolution of :class:`~dfrnet.networks.ststnet.STSTNet`.

    They join the streams along the channels before they pool and flatten, so the features of ``fc`` have our order.
    """
    import torch

    def joined(layer: str, name: str) -> Tensor:
        return torch.cat([state[f"{layer}{k}.{name}"] for k in (1, 2, 3)])

    norm = {name: joined("bn", name) for name in ("weight", "bias", "running_mean", "running_var")}
    return {
        "streams.0.weight": joined("conv", "weight"),
        "streams.0.bias": joined("conv", "bias"),
        **{f"streams.2.{name}": value for name, value in norm.items()},
        "streams.2.num_batches_tracked": state["bn1.num_batches_tracked"],
        "head.weight": state["fc.weight"],
        "head.bias": state["fc.bias"],
    }


def read_state(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A file's tensors by name; UserError where it is damaged, holds anything else, or others than ``shapes``."""
    import torch

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the folder of weights") from None
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make torch raise errors of every kind
        # Torch's own sentence goes on to tell how such a file can be loaded all the same; nobody should.
        refused = "global" in str(error).lower()
        what = "refused, it holds more than tensors and could run code" if refused else "no whole file of weights"
        raise UserError(f"{path}: {what}; restore it from where the authors published it") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{path}: not a dict of tensors by name (PyTorch's state dict); restore the authors' file")
    found = {str(name): tuple(value.shape) for name, value in state.items()}
    wrong = next((name for name in {**shapes, **found} if found.get(name) != shapes.get(name)), None)
    if wrong is not None:
        raise UserError(
            f"{path}: {wrong} is {found.get(wrong, 'not there')} and should be {shapes.get(wrong, 'not there')}; "
            "these are weights of another network"
        )
    strange = next((name for name, value in state.items() if not bool(torch.isfinite(value).all())), None)
    if strange is not None:
        raise UserError(f"{path}: {strange} is not finite; restore it from where the authors published it")
    return dict(state)


def raw_maps(clip: Clip, names: Sequence[str], side: int) -> Array:
    """Ready-made maps as they are stored: (C, side, side) float32, 0..255, in the order of ``names``."""
    planes = []
    for name in names:
        if name not in clip.maps:
            raise UserError(
                f"clip {clip.id}: it comes without the map {name} that the authors' network was trained on; "
                "take --data maps=ROOT"
            )
        file = clip.maps[name]
        image = read_image(file.path)
        if image.shape[:2] != (side, side) or (file.channel is not None and image.ndim != 3):
            raise UserError(
                f"{file.path}: clip {clip.id} needs a picture of {side}x{side} pixels with its maps in red, green and "
                "blue; restore it from the clone"
            )
        planes.append(image if file.channel is None else image[..., file.channel])
    return np.stack(planes).astype(np.float32)


def score_weights(
    method: str, folder: Path, clips: Sequence[Clip], *, data: Sequence[str] = (), partial: bool = False
) -> Run:
    """A run, of one fold per subject, of the weights in ``folder``; nothing is written.

    ``006.pth``, ``s01.pth`` and ``sub01.pth`` are the files of subjects so named, leading zeros or not. UserError where
    a subject has none, unless ``partial``: then its fold is missing, and the run is not complete.
    """
    if method not in PUBLISHED:
        raise unknown_name("method with published weights", method, PUBLISHED)
    files = _files(folder, sorted({clip.subject for clip in clips}), partial)
    folds = loso(clips)
    records = []
    for fold in folds:
        if fold.name not in files:
            continue
        start = perf_counter()
        own = [clips[i] for i in fold.test]
        rows = PUBLISHED[method](files[fold.name], own)
        seconds = round(perf_counter() - start, 3)
        answers = tuple(tuple(map(float, row)) for row in rows)
        records.append(FoldRecord(fold.name, 0, tuple(clip_table(own)), answers, (), None, {}, seconds))
    config = {
        "method": method,
        "reference": METHODS[method].reference,
        "weights": ORIGIN,
        "weights_sha256": _digest(files),
        "data": [described(source) for source in data],
        "protocol": "loso",
        "selection": "fixed",
        "seeds": [0],
        "classes": list(CLASSES),
        "clips": len(clips),
        "subjects": len(folds),
        "folds": len(folds),
        "versions": {"dfrnet": __version__, **_version_of_torch()},
    }
    return Run(folder, config, tuple(records))


def write_run(run: Run, out: Path) -> Run:
    """The run as the folder ``out``, for table, compare and score; UserError if there is anything already."""
    check_new(out)
    write_json(out / "run.json", dict(run.config))
    for record in run.folds:
        write_json(fold_path(out, record.fold, record.seed), asdict(record))
    written = load_run(out)
    write_predictions(written)
    return written


def check_new(out: Path) -> None:
    """UserError unless ``out`` is free."""
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"{out}: exists already; choose another --out, nothing was changed")


def _files(folder: Path, subjects: Sequence[str], partial: bool) -> dict[str, Path]:
    """The file of each subject; what is doubled or nobody's is said."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".pth", ".pt"})
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}); give the folder of weights") from None
    if not paths:
        raise UserError(f"{folder}: no weights in it; it should hold one PyTorch file per subject, such as sub01.pth")
    people = {map_key(subject.rpartition("/")[2]): subject for subject in subjects}
    if len(people) < len(subjects):
        raise UserError("two data sets have a subject of the same name, and the files bear no other; give one of them")
    files: dict[str, Path] = {}
    # The file of the subject's very name comes before other spellings of it.
    for path in sorted(paths, key=lambda one: (one.stem not in {s.rpartition("/")[2] for s in subjects}, one.name)):
        subject = people.get(map_key(path.stem))
        if subject is None:
            log.warning("%s: no subject of the data is called so; passed over", path)
        elif subject in files:
            log.warning("%s: %s has %s already; passed over", path, subject, files[subject].name)
        else:
            files[subject] = path
    missing = [subject for subject in subjects if subject not in files]
    listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    if missing and (not partial or not files):
        raise UserError(
            f"{folder}: no weights for {len(missing)} of {len(subjects)} subjects ({listed}); "
            + ("add their files, or score the others with --partial" if files else "are these files of other data?")
        )
    if missing:
        log.warning("no weights for %d of %d subjects (%s); their clips are not scored", len(missing), len(subjects),
                    listed)  # fmt: skip
    return files


def _digest(files: Mapping[str, Path]) -> str:
    found = hashlib.sha256()
    for subject in sorted(files):
        found.update(f"{subject} {hashlib.sha256(files[subject].read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def _version_of_torch() -> dict[str, Any]:
    import torch

    return {"torch": str(torch.__version__)}

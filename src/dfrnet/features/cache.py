"""One clip's features kept on disk, under a name that is a hash of everything they were made from.

A changed setting, frame, position, package version or line of code gives another name, so an old entry is never read
by mistake and nothing needs to be declared stale. An entry is ``CACHE/ab/abcd....safetensors``; it appears whole or
not at all, and one that is damaged counts as missing. Several processes may work on one cache at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import safetensors
import safetensors.numpy

import dfrnet
from dfrnet.datasets.synthetic_frames import SyntheticFrames
from dfrnet.faces import LANDMARKERS
from dfrnet.features.apex import APEX
from dfrnet.features.extract import FeatureSpec, clip_features
from dfrnet.features.flow import FLOWS
from dfrnet.features.maps import CENTRES, MAPS, SCALES
from dfrnet.features.tiles import TILES
from dfrnet.frames import Stamped, file_stamp
from dfrnet.types import Clip, Features, Frames, UserError

log = logging.getLogger(__name__)

SOURCE = Path(dfrnet.__file__).parent
OPTIONAL = ("av", "dlib", "scikit-image", "scipy")
"""Packages that some features are made with, or frames read, where they are installed."""

STALE = 24 * 3600
"""Seconds after which a half-written file is taken for one that a killed process left."""


class CacheError(UserError):
    """The cache cannot be written: no fault of a clip, and no clip after it will fare better."""


def load_or_extract(clip: Clip, spec: FeatureSpec, cache: Path | None) -> Features:
    """Features of one clip, read from ``cache`` if it holds them, else made and written there; None: always made.

    A cache that cannot be written is a CacheError even though the features were made: who names one relies on it.
    """
    return found_or_made(clip, spec, cache)[0]


def found_or_made(clip: Clip, spec: FeatureSpec, cache: Path | None) -> tuple[Features, bool]:
    """The same, and whether they were in the cache."""
    if cache is None:
        return clip_features(clip, spec), False
    key = clip_key(clip, spec)
    found = look_up(cache, key, spec)
    if found is not None:
        return found, True
    made = clip_features(clip, spec)
    store(cache, key, made)
    return made, False


def clip_key(clip: Clip, spec: FeatureSpec) -> str:
    """SHA-256, in hexadecimal, of everything that the features of ``clip`` depend on.

    Not of its label: what is to be learnt has no part in its features. Frames are known by their stamps
    (:class:`dfrnet.frames.Stamped`), drawn ones by what they are drawn from, any others by their pixels from onset to
    offset, which are decoded for it.
    """
    drawn = isinstance(clip.frames, SyntheticFrames)
    try:
        frames = _frames_stamp(clip.frames, clip.onset, clip.offset) if len(clip.frames) else ""
        maps = {name: [file_stamp(file.path), file.channel] for name, file in clip.maps.items()}
    except UserError as error:
        raise UserError(f"clip {clip.id}: {error}") from None
    parts = {
        "clip": clip.id,
        "positions": [clip.onset, clip.apex, clip.offset],
        "fps": clip.fps,
        "cropped": clip.cropped,
        "frames": frames,
        "maps": maps,
        "spec": dataclasses.asdict(spec),
        "versions": [dfrnet.__version__, np.__version__, cv2.__version__, *map(_installed, OPTIONAL)],
        "code": [_package_digest(drawn), *_own_code(spec)],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def look_up(cache: Path, key: str, spec: FeatureSpec) -> Features | None:
    """The entry, or None where there is none that is whole."""
    path = entry_path(cache, key)
    try:
        data = path.read_bytes()
    except OSError:
        return None  # whatever stands in the way is named when the entry is to be written
    try:
        return _decoded(data, key, spec)
    except (ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError):
        log.warning("%s: not a whole entry of the cache (%d bytes); it is made anew", path, len(data))
        return None


def store(cache: Path, key: str, found: Features) -> None:
    """Write the entry; CacheError where the disk or the folder does not take it."""
    path = entry_path(cache, key)
    draft = path.with_name(f"{key}-{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(_encoded(key, found))
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from None


def prepare(cache: Path) -> None:
    """Make the folder, and remove what killed processes left in it a day ago or earlier."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for draft in cache.glob("??/*.part"):
            if time.time() - draft.stat().st_mtime > STALE:
                draft.unlink(missing_ok=True)
    except FileNotFoundError:
        return  # another process tidied up at the same time
    except OSError as error:
        raise _unwritable(cache, error) from None


def entry_path(cache: Path, key: str) -> Path:
    """Where the entry lies; 256 folders keep each of them short."""
    return cache / key[:2] / f"{key}.safetensors"


def _unwritable(path: Path, error: OSError) -> CacheError:
    return CacheError(f"{path}: the cache cannot be written ({error.strerror or error}); mend that or name another one")


def _encoded(key: str, found: Features) -> bytes:
    maps = np.ascontiguousarray(found.maps)
    return safetensors.numpy.save({"maps": maps}, _metadata(key, found.names, maps.shape, maps.tobytes()))


def _decoded(data: bytes, key: str, spec: FeatureSpec) -> Features:
    start = 8 + int.from_bytes(data[:8], "little")
    shape = (len(spec.maps), spec.size, spec.size)
    if json.loads(data[8:start])["__metadata__"] != _metadata(key, spec.maps, shape, data[start:]):
        raise ValueError("another key, other maps or another checksum")
    maps = safetensors.numpy.load(data)["maps"]
    if maps.shape != shape:
        raise ValueError("another shape")
    return Features(maps, spec.maps)


def _metadata(key: str, names: Iterable[str], shape: Iterable[int], data: bytes) -> dict[str, str]:
    """What an entry says of itself: one JSON text, since safetensors keeps no order among several."""
    said = {"key": key, "names": list(names), "shape": list(shape), "sha256": hashlib.sha256(data).hexdigest()}
    return {"dfrnet": json.dumps(said, sort_keys=True)}


def _frames_stamp(frames: Frames, first: int, last: int) -> str:
    if isinstance(frames, Stamped):
        return frames.stamp(first, last)
    if isinstance(frames, SyntheticFrames):
        return repr(frames)
    digest = hashlib.sha256()
    for i in range(first, last + 1):
        frame = np.ascontiguousarray(frames[i])
        digest.update(f"{frame.dtype} {frame.shape} ".encode() + frame.tobytes())
    return digest.hexdigest()


@lru_cache
def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@lru_cache
def _package_digest(drawn: bool) -> str:
    """Of every file of the package that has a part in features: code, and the models that find faces."""
    paths = [SOURCE / "frames.py", SOURCE / "types.py", *SOURCE.glob("features/*.py"), *SOURCE.glob("faces/**/*")]
    if drawn:
        paths += SOURCE.glob("datasets/synthetic*.py")
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(SOURCE).as_posix()} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()


def _own_code(spec: FeatureSpec) -> list[str]:
    """A digest of each file outside the package that registered an entry which ``spec`` names."""
    chosen: list[tuple[dict[str, Any], str]] = [(MAPS, name) for name in spec.maps]
    chosen += [(FLOWS, spec.flow), (APEX, spec.apex), (CENTRES, spec.centre), (SCALES, spec.scale)]
    chosen += [(LANDMARKERS, spec.landmarks), (TILES, spec.tiles)]
    files = {_file_of(registry[name], name) for registry, name in chosen}
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files) if not path.is_relative_to(SOURCE)]


@lru_cache
def _file_of(entry: Callable[..., Any], name: str) -> Path:
    """The file that defines an entry of a registry; UserError if there is none, as for code typed into a console."""
    while hasattr(entry, "func"):  # functools.partial
        entry = entry.func
    if entry.__module__ == "builtins":  # SCALES["none"] is dict
        return SOURCE
    try:
        file = inspect.getsourcefile(entry if inspect.isroutine(entry) or inspect.isclass(entry) else type(entry))
        if file is None or not Path(file).is_file():
            raise TypeError
    except TypeError:
        raise UserError(
            f"{name!r} is defined in no file, so the cache cannot tell when it changes; save it in one or use no cache"
        ) from None
    return Path(file)

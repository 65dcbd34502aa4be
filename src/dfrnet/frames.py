"""Folders of images and video files -> frames with time stamps."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.types import Image, UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


@runtime_checkable
class Stamped(Protocol):
    """Frames that can be told from others without being decoded.

    ``stamp(first, last)`` differs whenever the frames from position ``first`` to ``last``, or their times, may do so.
    """

    def stamp(self, first: int, last: int, /) -> str: ...


def file_stamp(path: Path) -> str:
    """Path, size and time of the last change; UserError if there is no such file."""
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    return f"{os.path.abspath(path)} {found.st_size} {found.st_mtime_ns}"  # noqa: PTH100 (4 times faster)


def natural_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Sort key that counts img2 before img10 and treats ``006_05562`` and ``006_5562`` alike.

    Digits compare as integers, the rest as text without case; the file's own name breaks ties.
    """
    parts = re.split(r"(\d+)", path.stem.lower())
    key: list[tuple[int, int | str]] = [(0, int(p)) if p.isdecimal() else (1, p) for p in parts if p]
    return (*key, (2, path.name))


def read_image(path: Path | str) -> Image:
    """One picture, uint8 (H, W) or RGB (H, W, 3); UserError if it is missing, cut short or does not decode.

    Its pixels as they are stored: a camera's note that the picture should be turned (EXIF) is not followed, so that
    frames of one clip, and annotations made on them, stay together.
    """
    path = Path(path)
    try:
        data = path.read_bytes()  # not cv2.imread: it cannot open every path on every system
    except OSError as error:
        raise _unreadable(path, error) from None
    if not data:
        raise UserError(f"{path}: it is empty (0 bytes); restore it from the original archive")
    if _cut_short(data):
        raise UserError(f"{path}: the picture is cut short ({len(data)} bytes); restore it from the original archive")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # a header that claims more pixels than OpenCV takes
        image = None
    if image is None:
        raise UserError(f"{path}: not a picture that decodes ({len(data)} bytes); restore it from the original archive")
    pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if image.ndim == 3 else image
    return np.asarray(pixels, dtype=np.uint8)


def grey(image: Image) -> Image:
    """(H, W, 3) RGB or (H, W) grey -> (H, W) grey."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image, np.uint8)


def grey_square(image: Image, size: int) -> Image:
    """Grey and (size, size), whatever the shape was; averaged where it shrinks."""
    one = grey(image)
    if one.shape == (size, size):
        return one
    way = cv2.INTER_AREA if size <= min(one.shape) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(one, (size, size), interpolation=way), np.uint8)


def check_picture(image: Image) -> None:
    """UserError unless it is uint8, (H, W) or (H, W, 3)."""
    if not isinstance(image, np.ndarray):
        raise UserError(f"a frame must be an array of pixels, not {type(image).__name__}; read_image reads a file")
    if image.dtype != np.uint8 or not image.size or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise UserError(f"a frame must be uint8, (H, W) or (H, W, 3) RGB; this one is {image.dtype} {image.shape}")


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be read ({error.strerror}); check the folder you passed")


def _cut_short(data: bytes) -> bool:
    """Whether the end of a JPEG, PNG or BMP is missing. Some decoders fill up such a picture with grey and say nothing.

    JPEG: no end marker after the first scan began; the preview that many cameras put before it has one of its own.
    """
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") < _first_scan(data)
    if data.startswith(b"\x89PNG"):
        return b"IEND\xaeB`\x82" not in data[-4096:]
    if data.startswith(b"BM") and len(data) >= 54:
        start, width, height, bits, packed = (
            int.from_bytes(data[at : at + size], "little", signed=at in (18, 22))
            for at, size in ((10, 4), (18, 4), (22, 4), (28, 2), (30, 4))
        )
        # Not the size that the header states: some writers leave it 0. A packed picture has no size known before.
        return packed in (0, 3) and len(data) < start + (abs(width) * bits + 31) // 32 * 4 * abs(height)
    return False


def _first_scan(data: bytes) -> int:
    """Where a JPEG's first scan (marker SOS) begins; its length if none does."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            return at
        # A marker may be preceded by any number of FF; each segment states its own length.
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return len(data)


@dataclass(frozen=True)
class ImageFolder:
    """Frames kept as single pictures; ``paths`` in the order of time, ``fps`` frames a second."""

    paths: tuple[Path, ...]
    fps: float

    def __post_init__(self) -> None:
        if not self.fps > 0:
            raise UserError(f"{self.paths[0].parent if self.paths else 'frames'}: fps must be above 0, not {self.fps}")

    @property
    def times(self) -> npt.NDArray[np.float64]:
        return np.arange(len(self.paths)) / self.fps

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> Image:
        return read_image(self.paths[index])

    def stamp(self, first: int, last: int, /) -> str:
        """See :class:`Stamped`."""
        return "\n".join([str(self.fps), *map(file_stamp, self.paths[first : last + 1])])


def image_folder(folder: Path, fps: float, suffixes: Sequence[str] | None = None) -> ImageFolder:
    """Every picture of ``folder`` (not of its sub-folders) in natural order; UserError if there is none."""
    wanted = IMAGE_SUFFIXES if suffixes is None else frozenset(s.lower() for s in suffixes)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of frames")
    paths = sorted((p for p in folder.iterdir() if p.suffix.lower() in wanted), key=natural_key)
    if not paths:
        raise UserError(f"{folder}: no pictures in it ({', '.join(sorted(wanted))})")
    return ImageFolder(tuple(paths), fps)


@dataclass(frozen=True, eq=False)  # compared as an object: it is a key
class _VideoIndex:
    """What a video file holds: ``stamps`` int64 (N,), ascending, in units of ``unit`` seconds.

    ``keys``: positions at which decoding can begin. ``counted``: the stamps cannot be trusted to name frames (AVI), so
    that frames are counted from the first on.
    """

    stamps: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]
    unit: float
    counted: bool


@dataclass(frozen=True)
class VideoFile:
    """Frames of a video file, RGB uint8 (H, W, 3), turned upright as its header says; needs PyAV.

    Opening it lists its frames without decoding any; those that a cut file lacks are not counted. In ascending order
    each frame is decoded once; a step back begins again at the key frame before. ``times`` are the file's own, from
    its first frame on, so a changing frame rate is told as it is.
    """

    path: Path
    _index: _VideoIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _index_video(self.path))

    @property
    def times(self) -> npt.NDArray[np.float64]:
        return np.asarray((self._index.stamps - self._index.stamps[0]) * self._index.unit, np.float64)

    def __len__(self) -> int:
        return len(self._index.stamps)

    def __getitem__(self, index: int, /) -> Image:
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        frame = _decoder(self.path, self._index, os.getpid(), threading.get_ident()).read(index % len(self))
        if frame is None:
            raise UserError(f"{self.path}: frame {index % len(self)} does not decode; restore the file")
        pixels = frame.to_ndarray(format="rgb24")
        return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))

    def stamp(self, first: int, last: int, /) -> str:
        """See :class:`Stamped`; one file has one stamp."""
        del first, last
        return file_stamp(self.path)


def _index_video(path: Path) -> _VideoIndex:
    import av

    if not path.is_file():
        raise UserError(f"{path}: no such video file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path}: there is no video in it")
            stream = container.streams.video[0]
            whole = (p for p in container.demux(stream) if p.size and not p.is_corrupt and not p.is_discard)
            packets = [(p.pts, p.is_keyframe) for p in whole]
            shown = [(stamp, key) for stamp, key in packets if stamp is not None]
            counted = container.format.name == "avi" or len({stamp for stamp, _ in shown}) < len(packets)
            unit, rate = float(stream.time_base or 0), float(stream.average_rate or 25)
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(f"{path}: not a video that opens ({error.strerror}); restore it or convert it") from None
    if not packets:
        raise UserError(f"{path}: no frame of this video is whole; restore the file")
    if len(shown) < len(packets) or not unit:
        shown = [(i, False) for i in range(len(packets))]
        unit = 1 / rate
    shown.sort()
    keys = [] if counted else [i for i, (_, key) in enumerate(shown) if key]
    return _VideoIndex(np.array([s for s, _ in shown], np.int64), np.array(keys, np.int64), unit, counted)


@lru_cache(maxsize=8)
def _decoder(path: Path, index: _VideoIndex, process: int, thread: int) -> _Decoder:
    """The open file, not shared between threads or processes; no more than eight stay open."""
    del process, thread
    return _Decoder(path, index)


class _Decoder:
    """One reading position in a video file."""

    def __init__(self, path: Path, index: _VideoIndex) -> None:
        self.path, self.index = path, index
        self.at, self.frame = len(index.stamps), None  # as if at the end: the first read begins anew
        self.frames: Iterator[tuple[int, Any]] = iter(())

    def read(self, wanted: int) -> Any:
        """The PyAV frame at position ``wanted``, None if it does not decode."""
        before = self.index.keys[: np.searchsorted(self.index.keys, wanted, side="right")]
        key = int(before[-1]) if len(before) else 0
        if wanted < self.at or key > self.at + 1:
            self._begin(key)
        if not self._forward(wanted) and key:
            self._begin(0)  # not every file goes where it is told to
            self._forward(wanted)
        return self.frame if self.at == wanted else None

    def _begin(self, key: int) -> None:
        self.at, self.frame, self.frames = -1, None, _decoded(self.path, self.index, key)

    def _forward(self, wanted: int) -> bool:
        while self.at < wanted:
            self.at, self.frame = next(self.frames, (len(self.index.stamps), None))
        return self.at == wanted


def _decoded(path: Path, index: _VideoIndex, key: int) -> Iterator[tuple[int, Any]]:
    """Positions and frames from the key frame at position ``key`` on."""
    import av

    at = -1
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # clips share the cores between them already
        if key:
            container.seek(int(index.stamps[key]), stream=stream)
        for packet in container.demux(stream):
            try:
                frames = [] if packet.is_corrupt else packet.decode()
            except av.error.FFmpegError:
                frames, at = [], at + 1  # counting goes on past a lost frame
            for frame in frames:
                at = at + 1 if index.counted else int(np.searchsorted(index.stamps, frame.pts or 0))
                if index.counted or (at < len(index.stamps) and index.stamps[at] == frame.pts):
                    yield at, frame

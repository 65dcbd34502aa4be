"""Video files through PyAV, packet by packet: what decodes comes out, what does not is counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from dfrnet.frames import IMAGE_SUFFIXES
from dfrnet.types import UserError
from dfrnet.video.pictures import LARGEST, Fit, Picture, check_size
from dfrnet.video.stamps import Told

STILLS = IMAGE_SUFFIXES | {".webp", ".heic", ".heif", ".avif"}
CONTAINERS = (
    "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "asf", "flv", "ogg", "mxf", "rm", "dv", "wtv", "ivf",
    "nut", "h264", "hevc", "obu", "av1", "vc1", "m4v", "mjpeg", "yuv4mpegpipe", "gif", "apng",
)  # fmt: skip
"""FFmpeg's names of the containers that are opened. Playlists and lists of files are not: they name other places."""
THREADS = 4
"""More of them decode no faster what a camera records, and each holds a frame."""
MOST_FAULTS = 16
"""Times that the reading of packets may fail before the file counts as at its end."""
RATES = (0.1, 10_000.0)
"""Frames a second that a header can mean."""


def video_pictures(path: Path, told: Told, fps: float | None, patience: float) -> Iterator[Picture]:
    """Every frame that decodes, in the order in which they are shown; UserError if it is no video that can be used.

    ``fps`` is the rate where stamps are missing. A call into FFmpeg that waits ``patience`` seconds for data ends.
    """
    import av

    _check_file(path)
    fit = Fit(str(path), told)
    try:
        with av.open(
            f"file:{path.absolute()}",  # so that no name is taken for a protocol
            container_options={"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"},
            options={"max_pixels": str(LARGEST * LARGEST)},
            metadata_errors="replace",
            timeout=patience,
        ) as container:
            stream = _video_stream(path, container, told)
            _read_header(container, stream, told, fps)
            stamps = _Stamps(stream, container.format.name == "avi")
            for frame in _decoded(container, stream, told):
                stamp = stamps.of(frame)
                pixels = _guarded(fit, frame, told)
                if pixels is not None:
                    yield Picture(stamp, pixels, _quarter_turns(frame.rotation, told))
    except (av.error.FFmpegError, OSError, MemoryError) as error:
        raise _not_opened(path, error) from None


def _check_file(path: Path) -> None:
    if path.suffix.lower() in STILLS:
        raise _still(path)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its name and its permissions") from None
    if not size:
        raise UserError(f"{path}: it is empty (0 bytes); restore it from the original")


def _still(path: Path) -> UserError:
    return UserError(f"{path}: a still shows no movement; give a video, or a folder of pictures and --fps")


def _not_opened(path: Path, error: Exception) -> UserError:
    try:
        if cv2.haveImageReader(str(path)):
            return _still(path)
    except cv2.error:
        pass
    if isinstance(error, MemoryError):
        return UserError(f"{path}: it asks for more memory than there is; restore it or convert it")
    reason = getattr(error, "strerror", None) or type(error).__name__
    return UserError(f"{path}: not a video that opens ({reason}); restore it or convert it to MP4")


def _video_stream(path: Path, container: Any, told: Told) -> Any:
    """The first stream that shows more than the cover of a disc, ready to decode."""
    from av.stream import Disposition

    films = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not films:
        raise UserError(f"{path}: there is no video in it")
    if len(films) > 1:
        told.notes.append(f"the first of its {len(films)} videos is used")
    stream = films[0]
    context = stream.codec_context
    if context is None:
        raise UserError(f"{path}: no decoder for this kind of video; convert it to H.264")
    if context.width or context.height:
        check_size(str(path), context.width, context.height)
    context.options = {"max_pixels": str(LARGEST * LARGEST)}
    context.thread_count = min(THREADS, os.cpu_count() or 1)
    stream.thread_type = "AUTO"
    return stream


def _read_header(container: Any, stream: Any, told: Told, fps: float | None) -> None:
    if stream.duration is not None and stream.time_base:
        told.declare(float(stream.duration * stream.time_base))
    elif container.duration is not None:
        told.declare(container.duration / 1e6)
    rates = [fps, *(float(rate or 0) for rate in (stream.average_rate, stream.guessed_rate))]
    told.rate = next((rate for rate in rates if rate and RATES[0] <= rate <= RATES[1]), told.rate)


def _decoded(container: Any, stream: Any, told: Told) -> Iterator[Any]:
    """Frames as PyAV gives them. Faulty packets are counted and left out; so are frames that the decoder calls so."""
    import av

    for _ in range(MOST_FAULTS):
        try:
            for packet in container.demux(stream):
                if told.stop.is_set():
                    return
                # An empty packet (a frame that a recorder dropped) would tell the decoder that the file has ended.
                if packet.size:
                    yield from _frames(packet, told)
            break
        except av.error.ExitError:  # the patience of the container is at its end
            break
        except av.error.FFmpegError:
            told.odd["damaged"] += 1
    yield from _frames(None, told, stream)


def _frames(packet: Any, told: Told, stream: Any = None) -> list[Any]:
    """What one packet yields, or None: what the decoder still holds."""
    import av

    if packet is not None and packet.is_corrupt:
        told.odd["damaged"] += 1
        return []
    try:
        frames = stream.decode(None) if packet is None else packet.decode()
    except av.error.EOFError:
        return []
    except av.error.FFmpegError:
        told.odd["damaged"] += 1
        return []
    whole = [frame for frame in frames if not frame.is_corrupt]
    told.odd["damaged"] += len(frames) - len(whole)
    return whole


def _guarded(fit: Fit, frame: Any, told: Told) -> Any | None:
    import av

    try:
        return fit(frame)
    except (av.error.FFmpegError, ValueError):  # pixels that no format describes
        told.odd["damaged"] += 1
        return None


class _Stamps:
    """Stamps of frames in seconds from the first one; exact however large their numbers are."""

    def __init__(self, stream: Any, avi: bool) -> None:
        self.unit, self.avi = stream.time_base, avi
        self.first: int | None = None
        self.last: int | None = None

    def of(self, frame: Any) -> float | None:
        # AVI knows when frames are decoded, not when they are shown. With frames in order both differ by a constant,
        # and the last ones, for which the decoder waits for no packet, follow one by one.
        stamp = frame.dts if self.avi else frame.pts
        if stamp is None and self.avi and self.last is not None:
            stamp = self.last + 1
        unit = frame.time_base or self.unit
        if stamp is None or not unit or unit <= 0:
            return None
        self.first = stamp if self.first is None else self.first
        self.last = stamp
        return float((stamp - self.first) * unit)


def _quarter_turns(degrees: int, told: Told) -> int:
    turn = round(degrees / 90)
    note = f"its header asks for a turn by {degrees} degrees; {turn * 90} are followed"
    if degrees % 90 and note not in told.notes:
        told.notes.append(note)
    return turn % 4

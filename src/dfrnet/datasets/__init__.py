"""Annotation sheets on disk -> clips. A data set is a function root -> list[Clip] and one line in ``DATASETS``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dfrnet.datasets import released_maps, synthetic
from dfrnet.types import Clip, UserError, unknown_name

DATASETS: dict[str, Callable[[str], list[Clip]]] = {
    "maps": released_maps.load,
    "synthetic": synthetic.load,
}


def described(source: str) -> str:
    """What a record says of a source: where a folder lies is nobody's business, how hard the drawn faces are is."""
    name, _, root = source.partition("=")
    return f"{name}={root or 'default'}" if name == "synthetic" else name


def load(sources: Sequence[str]) -> list[Clip]:
    """The clips of ``NAME=ROOT`` sources, one after the other; UserError for an unknown name or a clip found twice."""
    if not sources:
        raise UserError("no data given; add --data NAME=ROOT, for example --data synthetic")
    clips: list[Clip] = []
    for source in sources:
        name, _, root = source.partition("=")
        if name not in DATASETS:
            raise unknown_name("data set", name, DATASETS)
        if not root and name != "synthetic":
            raise UserError(f"--data {source}: where is it? Write --data {name}=FOLDER")
        clips += DATASETS[name](root)
    seen: set[str] = set()
    for clip in clips:
        if clip.id in seen:
            raise UserError(f"clip {clip.id} comes from two of the sources {', '.join(sources)}; give each clip once")
        seen.add(clip.id)
    return clips

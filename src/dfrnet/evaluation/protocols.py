"""Who is tested when who is trained on: a protocol is a function clips -> folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dfrnet.types import Clip, Fold, UserError


def loso(clips: Sequence[Clip]) -> list[Fold]:
    """Leave one subject out: a fold for each subject, over all data sets together, in order of name.

    On the composite this is MEGC2019's protocol: the training clips come from all sets.
    """
    subjects = sorted({clip.subject for clip in clips})
    if len(subjects) < 2:
        raise UserError(f"leave-one-subject-out needs at least two subjects; the data has {len(subjects)}")
    return [
        Fold(
            subject,
            train=tuple(i for i, clip in enumerate(clips) if clip.subject != subject),
            test=tuple(i for i, clip in enumerate(clips) if clip.subject == subject),
        )
        for subject in subjects
    ]


PROTOCOLS: dict[str, Callable[[Sequence[Clip]], list[Fold]]] = {"loso": loso}

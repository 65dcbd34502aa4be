"""Who is tested when who is trained on: a protocol is a function clips -> folds.

In each of them every clip is tested once and no person is on both sides. ``docs/protocols.md`` says which one answers
which question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from dfrnet.types import Clip, Fold, UserError


def loso(clips: Sequence[Clip]) -> list[Fold]:
    """Leave one subject out: a fold for each subject, over all data sets together, in order of name.

    On the composite this is MEGC2019's composite database evaluation (CDE; See et al. 2019): the training clips come
    from all sets.
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


def sde(clips: Sequence[Clip]) -> list[Fold]:
    """Single database evaluation: leave one subject out within each data set, trained on that set alone.

    The folds bear the names that :func:`loso` gives them, and for one data set they are the same folds.
    """
    alone = {name: len({c.subject for c in clips if c.dataset == name}) for name in _datasets(clips)}
    lonely = next((name for name, count in alone.items() if count < 2), None)
    if lonely is not None:
        raise UserError(
            f"protocol sde needs at least two subjects in each data set; {lonely} has 1: leave it out, or use loso"
        )
    owner = {clip.subject: clip.dataset for clip in clips}
    return [
        Fold(fold.name, tuple(i for i in fold.train if clips[i].dataset == owner[fold.name]), fold.test)
        for fold in loso(clips)
    ]


def hde(clips: Sequence[Clip]) -> list[Fold]:
    """Holdout database evaluation: each data set is tested once, by what was trained on all the others.

    With two sets these are the folds of the task so named of MEGC2018 (Yap et al. 2018), with more of them those of
    CD6ME, which leaves one data set out (Varanka et al. 2023).
    """
    names = _datasets(clips)
    if len(names) < 2:
        raise UserError(
            f"protocol hde needs at least two data sets; the data has {len(names)}: add another --data, or use loso"
        )
    return [
        Fold(
            name,
            train=tuple(i for i, clip in enumerate(clips) if clip.dataset != name),
            test=tuple(i for i, clip in enumerate(clips) if clip.dataset == name),
        )
        for name in names
    ]


def kfold(clips: Sequence[Clip], *, folds: int) -> list[Fold]:
    """``folds`` folds of whole subjects and nearly equal numbers of clips, over all data sets together.

    Subjects are dealt out, those of most clips first and of equals by name, each to the fold that has fewest clips (of
    equals the first). So two folds differ by no more clips than the largest subject has, and nothing is drawn.
    """
    sizes = Counter(clip.subject for clip in clips)
    if len(sizes) < folds:
        raise UserError(f"protocol kfold{folds} needs at least {folds} subjects; the data has {len(sizes)}: use loso")
    filled = [0] * folds
    place: dict[str, int] = {}
    for subject in sorted(sizes, key=lambda name: (-sizes[name], name)):
        place[subject] = min(range(folds), key=filled.__getitem__)
        filled[place[subject]] += sizes[subject]
    return [
        Fold(
            f"fold{k + 1:02d}",
            train=tuple(i for i, clip in enumerate(clips) if place[clip.subject] != k),
            test=tuple(i for i, clip in enumerate(clips) if place[clip.subject] == k),
        )
        for k in range(folds)
    ]


def _datasets(clips: Sequence[Clip]) -> list[str]:
    return sorted({clip.dataset for clip in clips})


PROTOCOLS: dict[str, Callable[[Sequence[Clip]], list[Fold]]] = {
    "loso": loso,
    "sde": sde,
    "hde": hde,
    "kfold5": partial(kfold, folds=5),
    "kfold10": partial(kfold, folds=10),
}
"""By the name that ``--protocol`` takes."""

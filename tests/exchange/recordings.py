"""Made-up recordings, and what of them each format should give back."""

from dataclasses import replace

from hypothesis import strategies as st

from dfrnet.exchange import Recording
from dfrnet.exchange.rows import NOTHING
from dfrnet.types import Event, Interval

HARD = 'says "no", then;\tone=2 + {three}\nand \\n, a (last) line | 100% - [x]'


def ordinary():
    """What an analysis gives: one face, candidates with everything that an event can say."""
    return Recording(
        source="talks/Gespräch 1.mp4", duration=12.5, fps=99.87,
        events=(
            Event(
                1.2004, 1.3104, 1.4804, "micro", "surprise", {"negative": 0.1, "positive": 0.2, "surprise": 0.7},
                0.6123, ("between_brows", "left_brow"), ("AU1", "AU2", "LAU12C"), ("low frame rate",), 1,
                "to be confirmed",
            ),
            Event(3.0, 3.5, 4.25, "macro", None, {"negative": 0.4, "positive": 0.3, "surprise": 0.3}, 0.9, track=1),
        ),
        intervals=(Interval(5.0, 6.5, "face too small, 42 px", 1), Interval(8.0, 9.0, "no face")),
        record={"versions": {"dfrnet": "0.5.0"}, "model": "maps", "cautions": ["below 60 fps", 'a "quote"']},
        tracks=(1,), curve=((0.0, 0.1), (0.5, 0.25)),
    )  # fmt: skip


def hard():
    """Two faces, overlaps, touching events, one moment only, and texts that break separators."""
    base = Event(1.0, 1.5, 2.0, "micro", "Überraschung", {"müde; sehr": 0.5}, 0.5, track=2, note=HARD)
    return Recording(
        source='a "b" & <c>.mp4', duration=70.0, fps=0.0,
        events=(
            base,
            replace(base, track=1, note="日本語 🙂", regions=("a+b", "")),
            replace(base, end=3.0, apex=2.0),
            replace(base, start=2.0, apex=2.0, end=2.5, note="", kind="smile", action_units=("1+2?", "AU4")),
            replace(base, start=2.5, apex=2.5, end=2.5, label=None, probabilities={}),
            replace(base, start=60.0, apex=60.001, end=61.0, kind="Lächeln; breit", quality=("x, y", "z")),
        ),
        intervals=(
            Interval(0.0, 70.0, HARD), Interval(1.0, 2.0, "blur", 2), Interval(2.0, 3.0, "pose", 2),
            Interval(1.5, 2.5, '"speaking"', 0),
        ),
        record={"note": HARD, "numbers": [1, 2.5, None, True]}, tracks=(1, 2, 3), start=0.25,
        spans={1: (0.25, 61.5), 2: (1.0, 70.0)},
    )  # fmt: skip


def empty():
    """Nothing found in nothing."""
    return Recording(source="", duration=0.0, fps=0.0)


def thousand():
    """As many events as an hour may have."""
    events = [Event(i * 3.5, i * 3.5 + 0.1, i * 3.5 + 0.25, score=(i % 100) / 100, track=i % 2) for i in range(1000)]
    return Recording("long.mp4", 3600.0, 200.0, tuple(events), tuple(Interval(i, i + 0.5, "blur") for i in range(100)))


CASES = {"ordinary": ordinary, "hard": hard, "empty": empty, "thousand": thousand}

MS, US = 3, 6
DIGITS = {"csv": US, "elan": MS, "boris": MS, "datavyu": MS, "bids": US, "textgrid": US}
SHORTEST = {"elan", "boris", "textgrid"}


def expected(recording, name):
    """The recording that must come back, with exactly the losses that the format's entry admits."""
    if name == "json":
        return recording
    digits = DIGITS[name]

    def ends(one):
        start, end = round(one.start, digits), round(one.end, digits)
        return start, max(end, round(start + 0.001, digits)) if name in SHORTEST else end

    events = []
    for event in recording.events:
        start, end = ends(event)
        texts = {"note": event.note, "label": event.label}
        if name == "datavyu":
            texts = {key: text and text.replace("\r\n", "\n").replace("\r", "\n") for key, text in texts.items()}
        chances = {key: round(value, 4) for key, value in event.probabilities.items()}
        events.append(
            replace(
                event, start=start, apex=round(event.apex, digits), end=end, probabilities=chances,
                score=round(event.score, 4), **texts,
            )
        )  # fmt: skip
    if name == "csv":
        return Recording("events", 0.0, 0.0, tuple(events))
    intervals = [replace(one, start=ends(one)[0], end=ends(one)[1]) for one in recording.intervals]
    return replace(recording, events=tuple(events), intervals=tuple(intervals), curve=())


def sorted_parts(recording):
    """Events and intervals in an order of their own, and the rest."""
    rest = (
        recording.source,
        recording.duration,
        recording.fps,
        dict(recording.record),
        recording.tracks,
        recording.curve,
        recording.start,
        dict(recording.spans),
    )
    return sorted(recording.events, key=repr), sorted(recording.intervals, key=repr), rest


# Half characters are in no encoding; what means "nothing" in sheets is no name.
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\1"), max_size=12)
NAMES = TEXTS.filter(lambda text: text == text.strip() and text.lower() not in NOTHING)
MOMENTS = st.one_of(st.floats(0, 100), st.sampled_from([0.0, 0.0004, 0.5, 1.0, 1.0005, 2.0]))
CHANCES = st.floats(0, 1)
FACS = st.sampled_from(["AU1", "AU2", "LAU12C", "RAU14", "AU25E", "1+2?", "AU99x", "brow"])


@st.composite
def events(draw):
    start, apex, end = sorted(draw(st.tuples(MOMENTS, MOMENTS, MOMENTS)))
    return Event(
        start, apex, end, draw(st.sampled_from(["micro", "macro", "smile", "Ärger", "a;b=c"])),
        draw(st.none() | NAMES), draw(st.dictionaries(NAMES, CHANCES, max_size=3)), draw(CHANCES),
        tuple(draw(st.lists(NAMES, max_size=2))), tuple(draw(st.lists(FACS, max_size=3, unique=True))),
        tuple(draw(st.lists(NAMES, max_size=2))), draw(st.integers(0, 3)), draw(TEXTS),
    )  # fmt: skip


@st.composite
def intervals(draw):
    start, end = sorted(draw(st.tuples(MOMENTS, MOMENTS)))
    return Interval(start, end, draw(TEXTS).replace("\r", ""), draw(st.none() | st.integers(0, 2)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2), max_leaves=4,
)  # fmt: skip
RECORDINGS = st.builds(
    Recording, TEXTS, st.floats(0, 1e5), st.floats(0, 500), st.lists(events(), max_size=5).map(tuple),
    st.lists(intervals(), max_size=3).map(tuple), st.dictionaries(TEXTS, JSON, max_size=2),
    st.lists(st.integers(0, 5), max_size=2).map(tuple),
)  # fmt: skip

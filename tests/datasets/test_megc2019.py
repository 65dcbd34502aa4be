import csv
import logging
from collections import Counter

import pytest

import archive_faults
import archive_rows
from archive_rows import OFFICIAL
from archives import write_casme2, write_samm, write_smic
from dfrnet.datasets import ARCHIVES, load
from dfrnet.types import CLASSES, UserError


def listed():
    with OFFICIAL.open(newline="", encoding="utf-8") as file:
        return {f"{line['dataset']}/{line['subject']}/{line['clip']}": line["label"] for line in csv.DictReader(file)}


def test_the_list_has_the_published_counts():
    """See et al. 2019, table 2: 442 clips of 68 people, 250 negative, 109 positive, 83 surprise."""
    labels = listed()
    assert len(labels) == 442
    assert Counter(labels.values()) == {"negative": 250, "positive": 109, "surprise": 83}
    assert Counter((clip.split("/")[0], label) for clip, label in labels.items()) == {
        ("casme2", "negative"): 88, ("casme2", "positive"): 32, ("casme2", "surprise"): 25,
        ("samm", "negative"): 92, ("samm", "positive"): 26, ("samm", "surprise"): 15,
        ("smic", "negative"): 70, ("smic", "positive"): 51, ("smic", "surprise"): 43,
    }  # fmt: skip
    people = Counter({clip.rsplit("/", 1)[0]: 1 for clip in labels})
    assert Counter(person.split("/")[0] for person in people) == {"casme2": 24, "samm": 28, "smic": 16}


def test_ids_are_those_of_the_package():
    for clip in listed():
        dataset, subject, name = clip.split("/")
        assert name == name.strip()
        if dataset == "casme2":
            assert subject.startswith("sub")
            assert len(subject) == 5
        elif dataset == "samm":
            assert len(subject) == 3  # not "6", as in the organisers' file
            assert name.startswith(subject + "_")
        else:
            assert len(subject) == 3
            assert name.startswith(subject + "_")


@pytest.fixture(scope="module")
def composite(tmp_path_factory):
    """All three archives, full size, beside one another."""
    root = tmp_path_factory.mktemp("composite")
    return root, [
        write(root / folder, None, frames=4, cheap=True)
        for write, folder in ((write_casme2, "CASME2"), (write_samm, "SAMM"), (write_smic, "SMIC"))
    ]


def test_every_clip_of_the_list_and_no_other(composite):
    root, _ = composite
    loaded = load([f"megc2019={root}"])
    assert {clip.id: clip.label for clip in loaded.clips} == listed()
    assert loaded.classes == CLASSES
    assert loaded.left_out == {}


def test_the_parts_make_the_whole(composite):
    root, _ = composite
    whole = load([f"megc2019={root}"])
    parts = load([f"casme2={root / 'CASME2'}", f"samm={root / 'SAMM'}", f"smic={root / 'SMIC'}"])
    assert sorted(clip.id for clip in whole.clips) == sorted(clip.id for clip in parts.clips)


def test_the_list_decides_whatever_the_sheet_says(tmp_path):
    """sub05/EP12_03f was sad in 2014; the list of 2019 says surprise."""
    rows = [archive_rows.make_row("casme2", "05", "EP12_03f", "sadness", 10, 12, 14)]
    write_casme2(tmp_path, rows=rows, cheap=True)
    (clip,) = load([f"casme2={tmp_path}"]).clips
    assert (clip.label, clip.emotion) == ("surprise", "sadness")


def test_a_clip_of_the_list_that_is_missing_is_named(tmp_path, caplog):
    write = {"casme2": write_casme2, "samm": write_samm, "smic": write_smic}
    gone = []
    for name, writer in write.items():
        written = writer(tmp_path / name, None, frames=4, cheap=True)
        gone.append(next(clip for clip in written.ids[20:] if clip in listed()))
        archive_faults.remove_folder(written, gone[-1])
    with caplog.at_level(logging.WARNING):
        loaded = load([f"megc2019={tmp_path}"])
    assert len(loaded.clips) == 439
    assert set(loaded.left_out) == set(gone)
    for clip in gone:
        assert clip.rsplit("/", 1)[1] in loaded.left_out[clip]
        assert clip in caplog.text


@pytest.mark.parametrize(
    "names",
    [("CASME2", "SAMM", "SMIC"), ("CASME II", "SAMM", "SMIC_all_cropped"), ("casme2", "samm", "smic-hs"),
     ("CASMEII", "SAMM_v2", "SMIC-E"), ("CASME_II", "Samm", "SMIC HS")],
)  # fmt: skip
def test_names_of_the_three_folders(tmp_path, names):
    for writer, name in zip((write_casme2, write_samm, write_smic), names, strict=True):
        writer(tmp_path / name, 4, cheap=True)
    assert Counter(clip.dataset for clip in load([f"megc2019={tmp_path}"], classes=str(mapping(tmp_path))).clips) == {
        "casme2": 4, "samm": 4, "smic": 4,
    }  # fmt: skip


def mapping(root):
    """A class scheme in which every emotion is in the one or the other class."""
    path = root / "classes.toml"
    lines = []
    for name in ("casme2", "samm", "smic"):
        emotions = dict.fromkeys(emotion.lower() for emotion in archive_rows.FULL[name])
        rows = [row.emotion.lower() for row in archive_rows.full_rows(name)]
        present = [rows[k * len(rows) // 4] for k in range(4)]
        lines += [f"[{name}]", *(f'{one} = "{"a" if one < "m" else "b"}"' for one in emotions if one in present)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("lacking", ["casme2", "samm", "smic"])
def test_a_missing_part_is_an_error(tmp_path, lacking):
    for name in {"casme2", "samm", "smic"} - {lacking}:
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=lacking):
        load([f"megc2019={tmp_path}"])


def test_a_part_that_is_there_twice_is_an_error(tmp_path):
    for name in ("casme2", "CASME II", "samm", "smic"):
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="casme2"):
        load([f"megc2019={tmp_path}"])


def test_other_sets_do_not_count_as_parts(tmp_path):
    """CAS(ME)^2, CAS(ME)^3 and SAMM Long Videos have names that begin alike."""
    for name, writer in (("casme2", write_casme2), ("samm", write_samm), ("smic", write_smic)):
        writer(tmp_path / name, 4, cheap=True)
    for other in ("CAS(ME)^2", "CAS(ME)3", "CASME3", "CASME", "SAMM_longvideos", "SAMM Long Videos"):
        (tmp_path / other).mkdir()
    loaded = load([f"megc2019={tmp_path}"], classes=str(mapping(tmp_path)))
    assert len(loaded.clips) == 12
    assert set(ARCHIVES) >= {"casme2", "samm", "smic"}

from pathlib import Path

import pytest

from dfrnet.evaluation.metrics import confusion, uar
from dfrnet.evaluation.score import read_predictions, score_file
from dfrnet.evaluation.tables import FORMATS, notes, render
from dfrnet.types import UserError

LOGS = Path(__file__).parents[2].parent / "shared" / "data" / "logs"
needs_logs = pytest.mark.skipif(not LOGS.is_dir(), reason="the published logs are not here")


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "p.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@needs_logs
def test_published_matlab_log():
    rows = {row.data: row for row in score_file(LOGS / "ststnet_matlab.csv")}
    assert set(rows) == {"full", "casme2", "smic", "samm"}
    assert (rows["full"].n, rows["full"].subjects) == (442, 68)
    assert (rows["full"].uf1, rows["full"].uar) == pytest.approx((0.7353, 0.7186), abs=5e-5)


@needs_logs
def test_the_paper_of_that_log_printed_mean_precision_as_uar():
    predictions, classes = read_predictions(LOGS / "ststnet_matlab.csv")
    swapped = confusion([p.label for p in predictions], [p.truth for p in predictions], classes)
    assert float(uar(swapped)) == pytest.approx(0.7605, abs=5e-5)


@needs_logs
def test_published_pytorch_log():
    rows = {row.data: row for row in score_file(LOGS / "ststnet_pytorch.csv")}
    published = {"full": (0.7209, 0.7250), "casme2": (0.8304, 0.8304), "smic": (0.6871, 0.6876),
                 "samm": (0.5993, 0.6145)}  # fmt: skip
    for data, scores in published.items():
        assert (rows[data].uf1, rows[data].uar) == pytest.approx(scores, abs=5e-5)
    assert rows["full"].uf1_ci == pytest.approx((0.655, 0.776), abs=0.01)


def test_columns_and_their_meaning(write):
    path = write("subject,dataset,clip,truth,prediction,p_0,p_1,mood\n1,casme2,a,0,1,.2,.8,x\n1,smic,a,1,1,.5,.5,y\n")
    predictions, classes = read_predictions(path)
    assert classes == ("0", "1")
    assert [p.subject for p in predictions] == ["casme2/1", "smic/1"]
    assert [p.clip for p in predictions] == ["casme2/1/a", "smic/1/a"]
    assert predictions[0].probabilities == (0.2, 0.8)
    assert [row.data for row in score_file(path)] == ["full", "casme2", "smic"]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbftruth,prediction\r\na,a\r\n\r\nb,a\r\n",
        b"truth;prediction\na;a\nb;a\n",
        b" truth \tprediction\na\ta\nb\ta",
        b'"truth","prediction"\n"a","a"\n"b","a"\n',
    ],
)
def test_habits_of_spreadsheets(write, text):
    predictions, classes = read_predictions(write(text))
    assert [(p.truth, p.label) for p in predictions] == [("a", "a"), ("b", "a")]
    assert classes == ("a", "b")


def test_without_subjects_the_interval_is_over_clips(write):
    rows = score_file(write("truth,prediction\n" + "a,a\nb,b\na,b\n" * 5))
    assert (rows[0].units, rows[0].subjects, rows[0].n) == ("clips", 0, 15)
    assert rows[0].uf1_ci is not None
    assert any("over clips" in line for line in notes(rows))
    for name in FORMATS:
        assert "0.6" in render(rows, name)


def test_classes_may_be_given(write):
    path = write("truth,prediction\na,a\nb,b\n")
    assert score_file(path)[0].uf1 == 1
    assert score_file(path, ["a", "b", "c"])[0].uf1 == pytest.approx(2 / 3)
    with pytest.raises(UserError, match=r"row 3: truth 'b' is not among the classes a, c"):
        score_file(path, ["a", "c"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"p\.csv: empty"),
        ("\n\n", r"p\.csv: empty"),
        ("truth,prediction\n", "only a header"),
        ("Truth,prediction\na,a\n", "no column 'truth' among 'Truth', 'prediction'; is it 'Truth'"),
        ("truth,predicted\na,a\n", "is it 'predicted'"),
        ("truth,x\na,a\n", "no column 'prediction' among 'truth', 'x'; rename yours"),
        ("truth,prediction\na,a\n,a\n", "row 3: column 'truth' is empty"),
        ("truth,prediction\na,a\n\na,\n", "row 4: column 'prediction' is empty"),
        ("truth,prediction\na\n", "row 2: 1 fields under 2 columns"),
        ("truth,prediction\na,b,c\n", "row 2: 3 fields under 2 columns"),
        ("clip,truth,prediction\nx,a,a\ny,a,a\nx,a,b\n", "rows 2 and 4: clip 'x' stands twice"),
        ("truth,prediction,p_a\na,a,high\n", "row 2: a column of p_a is no number"),
        ("truth,prediction\nd\xe9go\xfbt,a\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_faults_name_file_and_row(write, text, message):
    with pytest.raises(UserError, match=message) as error:
        read_predictions(write(text))
    assert "p.csv" in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_predictions(tmp_path / "none.csv")


def test_a_clip_may_stand_once_for_each_seed(write):
    rows = score_file(write("seed,subject,clip,truth,prediction\n0,a,1,x,x\n0,b,2,y,y\n1,a,1,x,x\n1,b,2,y,x\n"))
    assert (rows[0].n, rows[0].seeds) == (2, 2)
    assert rows[0].accuracy == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("truth,prediction,prediction\nx,x,y\n", "two columns are called 'prediction'"),
        ("seed,truth,prediction\n0,x,y\n", "'seed' needs a column 'clip'"),
        ("seed,clip,truth,prediction\nfirst,1,x,y\n", "row 2: seed 'first' is no whole number"),
    ],
)
def test_columns_that_would_be_misread_are_refused(write, text, message):
    with pytest.raises(UserError, match=message):
        score_file(write(text))

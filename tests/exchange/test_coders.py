"""Files as other programs and their users make them."""

import json

import pytest

from dfrnet.exchange import guess, read
from dfrnet.exchange.rows import NO_APEX
from dfrnet.types import UserError


def put(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def brief(recording):
    return [(e.start, e.apex, e.end, e.kind, e.action_units) for e in recording.events]


@pytest.mark.parametrize(
    ("text", "fps", "rows"),
    [
        ("AU,side,intensity,onset,apex,offset,coder,notes\n12,L,B,1.2,1.4,1.7,AM,faint\n", None,
         [(1.2, 1.4, 1.7, "micro", ("LAU12B",))]),
        ("Onset (ms);Apex (ms);Offset (ms);AUs\n1200;1400;2000;1+2\n", None,
         [(1.2, 1.4, 2.0, "macro", ("AU1", "AU2"))]),
        ("OnsetFrame,ApexFrame,OffsetFrame,Action Units\n100,120,140,\"4, R12\"\n", 100,
         [(1.0, 1.2, 1.4, "micro", ("AU4", "RAU12"))]),
        ("start,end,type\n00:01:01.500,00:01:02,Micro-Expression\n", None, [(61.5, 61.75, 62.0, "micro", ())]),
        ("Onset\tApex\tOffset\tEmotion\n10\t12\t20\thappy\n", 10, [(1.0, 1.2, 2.0, "macro", ())]),
        ("onset_s,duration_ms,kind\n2,250,smile\n", None, [(2.0, 2.125, 2.25, "smile", ())]),
        ("Subject 7, talk 3,,\nonset_s,offset_s,FACS\n1,1.5,AU6C+LAU12\n\nTotal: 1,,\n", None,
         [(1.0, 1.25, 1.5, "micro", ("AU6C", "LAU12"))]),
        ("onset_frame,onset_s,offset_s\n40,1.5,1.75\n", None, [(1.5, 1.625, 1.75, "micro", ())]),
        ("onset;offset\n1,5;1,75\n", None, [(1.5, 1.625, 1.75, "micro", ())]),
    ],
)  # fmt: skip
def test_sheets_of_coders(tmp_path, text, fps, rows):
    recording = read(put(tmp_path, "sheet.csv", text), fps=fps)
    assert brief(recording) == rows
    assert all((NO_APEX in e.quality) == ("apex" not in text.lower()) for e in recording.events)


def test_old_spreadsheets_are_not_in_utf8(tmp_path):
    path = put(tmp_path, "sheet.csv", "onset_s,offset_s,notes\n1,2,für später\n", "latin-1")
    assert read(path).events[0].note == "für später"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("onset,offset\n10,20\n", "sheet.csv: start, end are whole numbers without a unit"),
        ("onset_frame,offset_frame\n10,20\n", "row 2: times are frame numbers; say how many"),
        ("onset_s,offset_s\n1,2\n3,\n", "row 3: it has no end"),
        ("onset_s,offset_s,AU\n1,2,4\n,5,12\n", "row 3: it has no start"),
        ("onset_s,offset_s\n2,1\n", "row 2: event 2.0 s"),
        ("onset_s,apex_s,offset_s\n1,5,2\n", "row 2: event 1.0 s, 5.0 s"),
        ("onset_s,offset_s\nsoon,2\n", "row 2: 'soon' is no time"),
        ("onset_s,offset_s\nnan,2\n", "row 2: it has no start"),
        ("onset_s,offset_s\n-1,2\n", "row 2: '-1' is no time from 0 on"),
        ("onset_s,offset_s\ninf,2\n", "row 2: 'inf' is no time"),
        ("onset_s,offset_s,score\n1,2,3\n", "row 2: score '3' is no number between 0 and 1"),
        ("onset_s,offset_s,p_happy\n1,2,x\n", "row 2: p_happy 'x'"),
        ("onset_s,offset_s,face\n1,2,left one\n", "row 2: track 'left one' is no number"),
        ("name,age\nx,2\n", "no column start_s or onset; it has name, age"),
    ],
)
def test_what_is_wrong_with_a_sheet(tmp_path, text, says):
    with pytest.raises(UserError) as error:
        read(put(tmp_path, "sheet.csv", text))
    assert says in str(error.value)
    assert "sheet.csv" in str(error.value)
    assert "\n" not in str(error.value)


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/talk.mp4"
MIME_TYPE="video/mp4"/></HEADER><TIME_ORDER>{slots}</TIME_ORDER>{tiers}
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/></ANNOTATION_DOCUMENT>"""


def eaf(tiers, slots=None):
    """``tiers``: {name: [(start, end, text)]} in ms."""
    names, text = {}, ""
    for at, (name, rows) in enumerate(tiers.items()):
        inner = ""
        for row, (start, end, value) in enumerate(rows):
            for time in (start, end):
                names.setdefault(time, f"ts{len(names) + 1}")
            refs = f'TIME_SLOT_REF1="{names[start]}" TIME_SLOT_REF2="{names[end]}"'
            inner += f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{at}_{row}" {refs}>'
            inner += f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
        text += f'<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="{name}">{inner}</TIER>'
    listed = "".join(f'<TIME_SLOT TIME_SLOT_ID="{n}" TIME_VALUE="{t}"/>' for t, n in sorted(names.items()))
    return EAF.format(slots=slots or listed, tiers=text)


def test_elan_file_of_a_coder(tmp_path):
    text = eaf({
        "Micro-Expressions": [(1000, 1400, "doubtful"), (3000, 3600, "")],
        "Apex": [(1200, 1240, ""), (9000, 9040, "")],
        "AU4": [(1000, 1400, "B"), (5000, 5300, "x")],
        "lower face": [(3050, 3600, "AU12, L14")],
        "Emotion": [(3000, 3600, "happy?")],
        "speech": [(0, 4000, "I went home")],
        "AU12": [(1300, 4000, "A")],
    })  # fmt: skip
    recording = read(put(tmp_path, "coder.eaf", text))
    assert brief(recording) == [
        (1.0, 1.2, 1.4, "micro", ("AU4B",)),
        (1.3, 2.65, 4.0, "macro", ("AU12A",)),  # far longer than what it overlaps: a movement of its own
        (3.0, 3.3, 3.6, "micro", ("AU12", "LAU14")),
        (5.0, 5.15, 5.3, "micro", ("AU4",)),
    ]
    assert [e.label for e in recording.events] == [None, None, "happy?", None]
    assert [e.note for e in recording.events] == ["doubtful", "", "", "x"]
    assert recording.record["not_read"] == ["tier speech, 1 annotations", "1 apexes outside every movement"]
    assert recording.source == "file:///C:/talk.mp4"


def test_overlapping_annotations_of_a_coder(tmp_path):
    text = eaf({"AU1": [(0, 500, "")], "AU2": [(100, 600, "")], "AU 04": [(100, 600, "")]})
    assert [(e.start, e.action_units) for e in read(put(tmp_path, "c.eaf", text)).events] == [
        (0.0, ("AU1",)), (0.1, ("AU2",)), (0.1, ("AU4",)),
    ]  # fmt: skip


def test_elan_child_tiers_and_unaligned_slots(tmp_path):
    slots = (
        '<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2"/>'
        '<TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="2000"/>'
    )
    tiers = (
        '<TIER TIER_ID="ME" LINGUISTIC_TYPE_REF="default-lt"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" '
        'TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>x</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>'
        '</ANNOTATION></TIER><TIER TIER_ID="AUs" LINGUISTIC_TYPE_REF="ref" PARENT_REF="ME"><ANNOTATION><REF_ANNOTATION '
        'ANNOTATION_ID="a2" ANNOTATION_REF="a1"><ANNOTATION_VALUE>1 + 2</ANNOTATION_VALUE></REF_ANNOTATION>'
        "</ANNOTATION></TIER>"
    )
    (event,) = read(put(tmp_path, "c.eaf", EAF.format(slots=slots, tiers=tiers))).events
    assert (event.start, event.end, event.action_units, event.note) == (1.0, 1.5, ("AU1", "AU2"), "x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (eaf({"speech": [(0, 100, "hello")]}), "nothing on its tiers (speech) is about movements"),
        (eaf({"ME": [(500, 100, "")]}), "annotation a0_0: it ends before it starts"),
        (eaf({"ME": [(0, 100, "")]}, "<TIME_SLOT TIME_SLOT_ID='ts1' TIME_VALUE='0'/>"), "no time slot 'ts2'"),
        (eaf({"ME": [(0, 1, "")]}, "<TIME_SLOT TIME_SLOT_ID='ts1' TIME_VALUE='NaN'/>"), "time slot ts1"),
        (eaf({"ME": [(0, 1, "")]}, "<TIME_SLOT TIME_SLOT_ID='ts1' TIME_VALUE='-5'/>"), "time slot ts1"),
        (eaf({"ME": [(0, 1, "micro; score=high")]}), "tier ME, annotation a0_0: score 'high'"),
        ("<html></html>", "not an ELAN file but 'html'"),
        ("<ANNOTATION_DOCUMENT", "damaged or cut off"),
    ],
)
def test_what_is_wrong_with_an_elan_file(tmp_path, text, says):
    with pytest.raises(UserError) as error:
        read(put(tmp_path, "c.eaf", text))
    assert says in str(error.value)
    assert "c.eaf" in str(error.value)
    assert "\n" not in str(error.value)


SHORT = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n10\n<exists>\n3\n"IntervalTier"\n"ME"\n0\n10\n3\n'
    '0\n1\n""\n1\n1.4\n"he said ""no"""\n1.4\n10\n""\n"TextTier"\n"apex"\n0\n10\n1\n1.1\n"a"\n'
    '"IntervalTier"\n"AU"\n0\n10\n1\n1\n1.4\n"AU4"\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_short_text_grids_in_every_encoding_of_praat(tmp_path, encoding):
    path = put(tmp_path, "c.TextGrid", SHORT, encoding)
    assert guess(path) == "textgrid"
    recording = read(path)
    assert brief(recording) == [(1.0, 1.1, 1.4, "micro", ("AU4",))]
    assert recording.events[0].note == 'he said "no"'
    assert recording.duration == 10


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("1.1\n", "soon\n"), "row 28: a time expected, not 'a'"),
        (("0\n10\n<exists>", "0\n-10\n<exists>"), "row 5: xmax -10 is no time"),
        (('"IntervalTier"\n"ME"', '"WaveTier"\n"ME"'), "'WaveTier' is no kind of tier"),
        (("1.4\n10", "1.4\n1"), "it ends before it starts"),
        (('"TextGrid"', '"Sound"'), "not a TextGrid"),
        (("<exists>\n3", "<exists>\n2.5"), "2.5 is no count"),
    ],
)
def test_what_is_wrong_with_a_text_grid(tmp_path, change, says):
    with pytest.raises(UserError) as error:
        read(put(tmp_path, "c.TextGrid", SHORT.replace(*change, 1)))
    assert says in str(error.value)
    assert "c.TextGrid" in str(error.value)


TABULAR = (
    "Observation id,talk,,,,,,,\nMedia file(s),,,,,,,,\nPlayer #1,talk.mp4,,,,,,,\n,,,,,,,,\n"
    "Time,Media file path,Total length,FPS,Subject,Behavior,Behavioral category,Comment,Status\n"
    "1.000,talk.mp4,60,25.0,child,AU12,,,START\n1.200,talk.mp4,60,25.0,child,apex,,,POINT\n"
    "1.400,talk.mp4,60,25.0,child,AU12,,,STOP\n2.000,talk.mp4,60,25.0,No focal subject,gaze,,,START\n"
    "2.500,talk.mp4,60,25.0,No focal subject,gaze,,,STOP\n"
)
AGGREGATED = (
    "Observation id\tMedia file\tSubject\tBehavior\tModifiers\tBehavior type\tStart (s)\tStop (s)\tComment start\n"
    "talk\ttalk.mp4\tchild\tmicro\tAU1|AU2\tSTATE\t1.000\t1.300\t\n"
    "talk\ttalk.mp4\tchild\tapex\t\tPOINT\t1.100\t1.100\t\n"
)


def test_tables_of_boris_of_a_coder(tmp_path):
    recording = read(put(tmp_path, "t.csv", TABULAR))
    assert brief(recording) == [(1.0, 1.2, 1.4, "micro", ("AU12",))]
    assert recording.record == {"not_read": ["tier gaze, 1 annotations"], "subjects": {"face 1": "child"}}
    assert recording.source == "talk.mp4"
    assert recording.events[0].track == 1
    recording = read(put(tmp_path, "a.tsv", AGGREGATED))
    assert brief(recording) == [(1.0, 1.1, 1.3, "micro", ("AU1", "AU2"))]


def project(events, **more):
    kinds = {"micro": "State event", "AU": "State event with coding map", "apex": "Point event"}
    conf = {str(i): {"code": code, "type": kind} for i, (code, kind) in enumerate(kinds.items())}
    media = {"length": {"talk.mp4": 60.0}, "fps": {"talk.mp4": 50.0}}
    one = {"file": {"1": ["talk.mp4"], "2": []}, "type": "MEDIA", "events": events, "media_info": media}
    return {"behaviors_conf": conf, "subjects_conf": {}, "observations": {"talk": one}, **more}


def test_project_of_boris_of_a_coder(tmp_path):
    events = [
        [1.0, "child", "micro", "", ""], [1.1, "child", "apex", "", ""], [1.3, "child", "micro", "", ""],
        [5.0, "", "AU", "12", "", 250], [5.9, "", "AU", "12", "", 295],
    ]  # fmt: skip
    recording = read(put(tmp_path, "p.boris", json.dumps(project(events))))
    assert brief(recording) == [(1.0, 1.1, 1.3, "micro", ()), (5.0, 5.45, 5.9, "macro", ("AU12",))]
    assert (recording.source, recording.duration, recording.fps) == ("talk.mp4", 60.0, 50.0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            project([[1.0, "", "micro", "", ""]]),
            "observation talk, event 1: micro of no subject starts and never stops",
        ),
        (project([[-1.0, "", "micro", "", ""]]), "observation talk, event 1: '-1.0' is no time"),
        (project([["NaN", "", "micro", "", ""]]), "event 1: 'NaN' is no time"),
        (project([[1.0]]), "event 1: '[1.0]' is no event"),
        (project("x"), "observation talk: its events are no list"),
        (project([]) | {"observations": {"a": {}, "b": {}}}, "holds 2 observations (a, b)"),
        ({"observations": [], "behaviors_conf": {}}, "not a BORIS project"),
    ],
)
def test_what_is_wrong_with_a_project_of_boris(tmp_path, content, says):
    with pytest.raises(UserError) as error:
        read(put(tmp_path, "p.boris", json.dumps(content)))
    assert says in str(error.value)
    assert "p.boris" in str(error.value)


DATAVYU = (
    "#4\nfaces (MATRIX,true,)-au|NOMINAL,intensity|NOMINAL,notes|NOMINAL\n"
    "00:00:01:000,00:00:01:400,(12,B,a\\,b \\\nline two)\nAU4 (MATRIX,true,)-code01|NOMINAL\n"
    "00:00:02:000,00:00:02:900,(c)\n00:00:04:000,00:00:00:000,()\nid (MATRIX,false,)-name|NOMINAL\n"
    "00:00:00:000,00:00:00:000,(x)\n"
)


def test_datavyu_text_of_a_coder(tmp_path):
    recording = read(put(tmp_path, "c.csv", DATAVYU))
    assert brief(recording) == [
        (1.0, 1.2, 1.4, "micro", ("AU12B",)), (2.0, 2.45, 2.9, "macro", ("AU4C",)), (4.0, 4.0, 4.0, "micro", ("AU4",)),
    ]  # fmt: skip
    assert recording.events[0].note == "a,b \nline two"
    assert recording.record["not_read"] == ["column id, 1 cells"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("(12,B,", "(12,"), "row 3: 2 values where the column has 3 codes"),
        (("(c)", "(c"), "row 6: its values have no closing bracket"),
        (("00:00:02:900", "00:00:01:900"), "row 6: its offset is before its onset"),
        (("00:00:02:000,", "soon,"), "row 6: 'soon,"),
    ],
)
def test_what_is_wrong_with_a_datavyu_text(tmp_path, change, says):
    with pytest.raises(UserError) as error:
        read(put(tmp_path, "c.csv", DATAVYU.replace(*change, 1)))
    assert says in str(error.value)
    assert "c.csv" in str(error.value)


def test_events_of_another_bids_data_set(tmp_path):
    path = put(tmp_path, "sub-01_task-x_events.tsv", "onset\tduration\ttrial_type\tresponse\n1.5\tn/a\tsmile\tn/a\n")
    assert brief(read(path)) == [(1.5, 1.5, 1.5, "smile", ())]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("onset\tduration\n1\n", "row 2: 1 cells where the header has 2"),
        ("onset\tduration\nn/a\t1\n", "row 2: it has no onset"),
        ("onset\tduration\n1\t-1\n", "row 2: '-1' is no time"),
    ],
)
def test_what_is_wrong_with_bids_events(tmp_path, text, says):
    with pytest.raises(UserError, match=says):
        read(put(tmp_path, "x_events.tsv", text))

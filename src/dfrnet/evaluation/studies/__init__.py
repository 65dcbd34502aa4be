"""Every table and figure of the paper, one study each, and those beyond it; ``dfrnet study NAME``.

A :class:`Study` is rows to run (:class:`Entry`: a method with some settings, under a protocol) and views of what came
out. All studies of one folder share their runs, so that the plain DFR-Net is trained once for all of them. ``apex`` is
about the frames alone and trains nothing.
"""

from dfrnet.evaluation.studies.apex import DRAWN, apex_study, study_clips
from dfrnet.evaluation.studies.made import Made, finish, make, make_apex, write_made, write_page
from dfrnet.evaluation.studies.paper import BEYOND, PAPER
from dfrnet.evaluation.studies.plan import Entry, Options, Study
from dfrnet.evaluation.studies.runs import Material, Outcome, Result, run_study
from dfrnet.evaluation.studies.sheet import COLUMNS, FORMATS, Sheet, render_sheet
from dfrnet.evaluation.studies.views import VIEWS, View

STUDIES: dict[str, Study] = {study.name: study for study in (*PAPER, *BEYOND)}

__all__ = [
    "COLUMNS",
    "DRAWN",
    "FORMATS",
    "STUDIES",
    "VIEWS",
    "Entry",
    "Made",
    "Material",
    "Options",
    "Outcome",
    "Result",
    "Sheet",
    "Study",
    "View",
    "apex_study",
    "finish",
    "make",
    "make_apex",
    "render_sheet",
    "run_study",
    "study_clips",
    "write_made",
    "write_page",
]

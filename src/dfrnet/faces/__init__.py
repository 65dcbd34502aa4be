"""Frames -> landmarks, aligned crops, regions of the face."""

from dfrnet.faces.align import AlignedFrames, align_frames
from dfrnet.faces.landmarks import LANDMARKERS, Face, find_face, find_faces
from dfrnet.faces.regions import DC_ROIS, REGIONS, Box, region_boxes
from dfrnet.faces.template import TEMPLATE

__all__ = [
    "DC_ROIS", "LANDMARKERS", "REGIONS", "TEMPLATE", "AlignedFrames", "Box", "Face", "align_frames", "find_face",
    "find_faces", "region_boxes",
]  # fmt: skip

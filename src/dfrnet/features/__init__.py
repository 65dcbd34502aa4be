"""Frames -> features: apex, optical flow, strain, difference map."""

from dfrnet.features.apex import APEX
from dfrnet.features.batch import Extracted, Filled, features, fill
from dfrnet.features.extract import ALIGNS, FeatureSpec, clip_features, clip_frames, extract, fitted_spec
from dfrnet.features.flow import FLOWS
from dfrnet.features.maps import CENTRES, MAPS, SCALES, strain
from dfrnet.features.tiles import TILES

__all__ = [
    "ALIGNS",
    "APEX",
    "CENTRES",
    "FLOWS",
    "MAPS",
    "SCALES",
    "TILES",
    "Extracted",
    "FeatureSpec",
    "Filled",
    "clip_features",
    "clip_frames",
    "extract",
    "features",
    "fill",
    "fitted_spec",
    "strain",
]

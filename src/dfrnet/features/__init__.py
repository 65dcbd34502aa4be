"""Frames -> features: apex, optical flow, strain, difference map."""

from dfrnet.features.apex import APEX
from dfrnet.features.extract import FeatureSpec, clip_features, extract, features, fitted_spec
from dfrnet.features.flow import FLOWS
from dfrnet.features.maps import CENTRES, MAPS, SCALES, strain

__all__ = [
    "APEX",
    "CENTRES",
    "FLOWS",
    "MAPS",
    "SCALES",
    "FeatureSpec",
    "clip_features",
    "extract",
    "features",
    "fitted_spec",
    "strain",
]

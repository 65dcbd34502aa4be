"""Recordings: read, faces followed, quality judged, movements found."""

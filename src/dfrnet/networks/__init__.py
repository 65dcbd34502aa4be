"""Building blocks in plain torch; they know nothing of faces. Import the file you need: each one imports torch."""

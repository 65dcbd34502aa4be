"""Method x clips x protocol -> predictions -> tables."""

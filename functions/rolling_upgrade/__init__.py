"""rolling_upgrade's two functions: one decides and cannot write, one writes and cannot decide."""

"""certificates' three functions: one decides and cannot write, one writes and cannot decide, one signs for nodes."""

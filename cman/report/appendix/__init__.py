"""What the paper leaves out: significance, intervals, controls and errors, one module a section."""

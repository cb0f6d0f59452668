"""Tables of published and measured figures, and records of measured runs."""

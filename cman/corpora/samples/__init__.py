"""Generated corpora in the raw formats of the real ones."""

"""Pre-trained word vectors: their file formats, and those that a corpus needs."""

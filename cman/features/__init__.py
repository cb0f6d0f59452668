"""From documents to tensors: vocabularies, word vectors, contextual features, batches."""

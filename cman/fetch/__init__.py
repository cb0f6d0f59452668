"""Everything that comes from elsewhere: corpora, word vectors, ELMo and transformers."""

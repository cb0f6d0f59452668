"""Transformer features: a tokenizer's pieces, an encoder's layers, and a vector for each token."""

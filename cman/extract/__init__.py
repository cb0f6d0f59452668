"""From text to entities and relations with a trained model; in Python: `from cman import Extractor`."""

"""From text to entities and relations with a trained model; `from cman import Extractor` is the door."""

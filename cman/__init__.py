"""CMAN: joint entity and relation extraction with a two-phase cross-modal attention network."""

__version__ = "0.1.0"

"""The models in plain PyTorch: CMAN, its baseline, their losses and their decoding."""

"""Figures 5 to 8: what is in them, how it is drawn, and the numbers behind them."""

"""Benchmarks inside one process: contenders must agree with the definition before any of them is timed."""

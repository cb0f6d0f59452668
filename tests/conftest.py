"""What all tests share: property tests without a deadline, and one core a worker where several run side by side."""

import os

import hypothesis

# A busy machine makes any example slow; how fast something is, benchmarks tell.
hypothesis.settings.register_profile("cman", deadline=None)
hypothesis.settings.load_profile("cman")

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

"""Everything about the package stands in pyproject.toml. This file is where compiled kernels would be declared; there
are none yet, and it must work without torch, which is only installed along with the package."""

from setuptools import setup

setup()

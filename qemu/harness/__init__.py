"""Boots kernels and judges what their guests say."""
from pathlib import Path

# Of the project; what is made goes below its target/.
ROOT = Path(__file__).resolve().parent.parent.parent

"""Loads a program of the project as a module: its name has no .py."""
import importlib.machinery
import importlib.util
import sys
from unittest import mock

from harness import ROOT


def load(path):
    loader = importlib.machinery.SourceFileLoader(path.replace("/", "_"), str(ROOT / path))
    with mock.patch.object(sys, "dont_write_bytecode", True):
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(module)
    return module

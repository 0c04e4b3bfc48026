"""Every module of the local cloud can be the first that is imported: none needs another to have come before it."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import importlib, pkgutil, sys
import bedrock_distill.local as room
import bedrock_distill.local.cloud, bedrock_distill.session  # lower rooms never import this one: they may stay loaded
names = [module.name for module in pkgutil.walk_packages(room.__path__, room.__name__ + ".")]
for name in names:
    for loaded in [key for key in sys.modules if key.startswith("bedrock_distill.local")]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, error)
print(len(names) > 50)
"""


@pytest.mark.slow
def test_each_module_can_be_imported_first():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"

"""Starts a Python function: sets the module path, then runs AWS's runtime client, or Stepwell's own where that one is
not installed. Arguments: task root, directory of installed packages (or nothing), handler."""

import sys

_, task_root, packages, handler = sys.argv
# The function's own directory comes first, so that a package it brings wins; this script's directory is no module path.
sys.path[0:1] = [task_root] + ([packages] if packages else [])
sys.argv = ["bootstrap", handler]

try:
    import awslambdaric.__main__ as client
except ImportError:
    import importlib.util
    import os

    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python_client.py")
    spec = importlib.util.spec_from_file_location("stepwell_runtime_client", place)
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)

client.main(sys.argv)

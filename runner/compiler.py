"""Compiles modules and runs none of them: for previewd, before a launch needs them.

JSON on the standard input has the text of each by its path, as base64; that on the standard output has in the same way what
Python keeps of a module beside it.
"""

import base64
import importlib._bootstrap_external as machinery
import importlib.util
import json
import os
import sys
import warnings

LOWEST_PRIORITY = 19


def compiled(path, source):
    """To be compared with its source when it is imported. `None` for what cannot be compiled, or not without a warning:
    that is to be told at each launch."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            code = compile(source, path, "exec", dont_inherit=True)
    except Exception:
        return None
    return bytes(machinery._code_to_hash_pyc(code, importlib.util.source_hash(source), True))


def main():
    os.nice(LOWEST_PRIORITY)
    made = {}
    for path, text in json.load(sys.stdin).items():
        bytecode = compiled(path, base64.b64decode(text))
        if bytecode is not None:
            made[path] = base64.b64encode(bytecode).decode()
    json.dump(made, sys.stdout)


main()

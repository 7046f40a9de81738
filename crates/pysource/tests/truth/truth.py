"""Says what applications really offer, by importing them.

    python truth.py projects FILE...       projects in the format of tests/projects, to standard output
    python truth.py project DIRECTORY      one project; prints {"routes": …, "openapi": …}

Each project is imported in a process of its own, in a directory of its own.
"""

import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

ENTRYPOINTS = (("app/main.py", "app.main"), ("main.py", "main"))


def read_projects(path):
    """Yields the name and the files of each project in a file."""
    name, files, current = None, {}, None
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith("=== "):
            if name:
                yield name, files
            name, files, current = line[4:].strip(), {}, None
        elif line.startswith("--- "):
            current = line[4:].strip()
            files[current] = ""
        elif current:
            files[current] += line + "\n"
    if name:
        yield name, files


def operations(app, prefix="", hidden=False):
    """Every operation that an application answers, as [method, path, in schema]."""
    from fastapi import FastAPI
    from fastapi.routing import APIRoute
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route, WebSocketRoute

    for route in flat(app.routes):
        original = getattr(route, "original_route", route)
        starlette = getattr(route, "starlette_route", None)
        if starlette is not None:
            route = starlette
        path = prefix + getattr(route, "path", "")
        if isinstance(original, APIRoute):
            for method in sorted(route.methods):
                yield [method, path, bool(route.include_in_schema) and not hidden]
        elif isinstance(original, WebSocketRoute) or type(original).__name__ == "APIWebSocketRoute":
            yield ["WEBSOCKET", path, False]
        elif isinstance(original, Mount):
            if original.app is not None and isinstance(original.app, (FastAPI, Starlette)):
                yield from operations(original.app, path, True)
            elif getattr(original, "routes", None):
                yield from operations(original, path, True)
            else:
                yield ["MOUNT", path, False]
        elif isinstance(original, Route):
            names = {"openapi", "swagger_ui_html", "swagger_ui_redirect", "redoc_html"}
            if route.name in names and original.endpoint.__module__ == "fastapi.applications":
                continue
            for method in sorted(original.methods or endpoint_methods(original.endpoint)):
                if method != "HEAD":
                    yield [method, path, False]


def endpoint_methods(endpoint):
    return [name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(endpoint, name)]


def flat(routes):
    """The routes with what newer FastAPI keeps as included routers resolved."""
    try:
        from fastapi.routing import iter_route_contexts
    except ImportError:
        yield from routes
        return
    for context in iter_route_contexts(routes):
        yield context


def describe(directory):
    os.chdir(directory)
    sys.path.insert(0, directory)
    warnings.simplefilter("ignore")
    entry = next(module for path, module in ENTRYPOINTS if os.path.exists(path))
    app = importlib.import_module(entry).app
    try:
        document = app.openapi()
    except Exception as error:  # the document is the application's own affair
        document = {"error": str(error)}
    return {"routes": sorted(operations(app)), "openapi": document}


def project(files):
    with tempfile.TemporaryDirectory() as directory:
        for path, text in files.items():
            target = pathlib.Path(directory, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        command = [sys.executable, os.path.abspath(__file__), "project", directory]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout)


def main(arguments):
    if arguments[0] == "project":
        json.dump(describe(arguments[1]), sys.stdout, default=str)
        return
    found = {}
    for path in arguments[1:]:
        for name, files in read_projects(path):
            found[name] = project(files)
    json.dump(found, sys.stdout, indent=1, sort_keys=False, default=str)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])

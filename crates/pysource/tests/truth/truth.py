"""Says what applications really offer, by importing them.

    python truth.py projects WHAT...       projects: files in the format of tests/projects, or directories
    python truth.py examples DIRECTORY...  the modules below DIRECTORY/docs_src that have an application

The first prints {name: {"made_from": …, "routes": [[method, path, in schema]], "openapi": …}}, where made_from is the
SHA-256 of the project's text. The second prints a line for each document: {"modules": [DIRECTORY's name:module],
"openapi": …}; what does not import is left out. Each is imported in a process of its own.
"""

import hashlib
import importlib
import json
import os
import pathlib
import sys
import tempfile
import warnings

ENTRYPOINTS = (("app/main.py", "app.main"), ("main.py", "main"))


def read_projects(path):
    """Yields name, files, entry point and environment of each project in a file, or of the one that a directory is."""
    if os.path.isdir(path):
        root = pathlib.Path(path)
        own = (file for file in root.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        files = {file.relative_to(root).as_posix(): file.read_text() for file in own}
        yield root.name, files, usual_entrypoint(files), {}
        return
    name, files, current, entrypoint, environment = None, {}, None, None, {}
    for line in [*pathlib.Path(path).read_text().splitlines(), "=== "]:
        if line.startswith("=== "):
            if name:
                yield name, files, entrypoint or usual_entrypoint(files), environment
            name, files, current, entrypoint, environment = line[4:].strip(), {}, None, None, {}
        elif line.startswith("--- "):
            current = line[4:].strip()
            files[current] = ""
        elif current:
            files[current] += line + "\n"
        elif line.startswith("entrypoint: "):
            entrypoint = line.split()[1].split(":")
        elif line.startswith("environment: "):
            environment = dict([line.split(maxsplit=1)[1].split("=", 1)])


def usual_entrypoint(files):
    return next((module, "app") for path, module in ENTRYPOINTS if path in files)


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


def describe(directory, environment, module, attribute):
    os.chdir(directory)
    os.environ.update(environment)
    sys.path.insert(0, directory)
    sys.stdout = sys.stderr
    warnings.simplefilter("ignore")
    app = getattr(importlib.import_module(module), attribute.removesuffix("()"))
    app = app() if attribute.endswith("()") else app
    try:
        document = app.openapi()
    except Exception as error:  # the document is the application's own affair
        document = {"error": str(error)}
    return {"routes": sorted(operations(app)), "openapi": document}


def forked(work):
    """What `work` returns, in a child process that has the libraries already."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            found = work()
        except BaseException as error:
            found = {"error": f"{type(error).__name__}: {error}"[:500]}
        with os.fdopen(write, "w") as pipe:
            json.dump(found, pipe, default=str)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


def made_from(files):
    """What the tests compare with the project that they have."""
    text = "".join(f"--- {path}\n{text}" for path, text in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def project(files, entrypoint, environment):
    with tempfile.TemporaryDirectory() as directory:
        for path, text in files.items():
            target = pathlib.Path(directory, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return {"made_from": made_from(files)} | forked(lambda: describe(directory, environment, *entrypoint))


def example(directory, module):
    os.chdir(tempfile.mkdtemp())
    sys.path.insert(0, directory)
    sys.stdout = sys.stderr
    warnings.simplefilter("ignore")
    app = importlib.import_module(module).app
    return {"openapi": app.openapi()}


def examples(directory):
    found = {}
    for path in sorted(pathlib.Path(directory, "docs_src").rglob("*.py")):
        if "app = FastAPI(" not in path.read_text() or "test" in path.stem:
            continue
        module = ".".join(path.relative_to(directory).with_suffix("").parts)
        document = forked(lambda: example(directory, module)).get("openapi")
        if document:
            text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
            found.setdefault(text, []).append(f"{pathlib.Path(directory).name}:{module}")
    return found


def main(arguments):
    import fastapi.applications  # noqa: F401  loaded once, before the forks

    if arguments[0] == "examples":
        for directory in arguments[1:]:
            for document, modules in examples(os.path.abspath(directory)).items():
                print(f'{{"modules":{json.dumps(modules)},"openapi":{document}}}')
    else:
        projects = [one for path in arguments[1:] for one in read_projects(path)]
        found = {name: project(*given) for name, *given in projects}
        lines = (f"{json.dumps(name)}: {json.dumps(truth, separators=(',', ':'))}" for name, truth in found.items())
        print("{" + ",\n".join(lines) + "}")


if __name__ == "__main__":
    main(sys.argv[1:])

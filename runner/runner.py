"""Serves one FastAPI application on a unix socket that it was handed.

Started by previewd's keeper, as a process of its own or in a fork of a zygote. Standard library only, until the
application's own packages are on the path. Instructions come as JSON on descriptor 3, the listening socket is
descriptor 4, structured records go to descriptor 5, one JSON document a line.
"""

import asyncio
import atexit
import contextlib
import gc
import importlib.util
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback

SPEC_FD, LISTENER_FD, RECORDS_FD = 3, 4, 5
# Answered for previewd alone, which knows the probe's secret.
OFFER_PATH = "/__previewd__/endpoints"
# Seconds that open requests may take at the end: the rest of the keeper's five is the application's own shutdown's.
GRACE = 4
# Seconds between looks at whether requests have ended, at the end.
LOOK = 0.002
# Seconds that a thread may go on while another wants the interpreter.
SHORT_TURN = 0.0001
# What importing makes stays: to look for garbage in it as often as usual costs a tenth of the time.
RARELY = (50_000, 20, 20)


def beside(name):
    """A program that lies beside this one. No application finds it: it is not on the path, nor among what was imported."""
    path = os.path.join(os.path.dirname(__file__), name + ".py")
    spec = importlib.util.spec_from_file_location("previewd_" + name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


said = beside("said")


def describe(route, prefix, out):
    """One route, or those of a mounted application, as previewd lists them."""
    if getattr(route, "name", None) in OWN_ROUTES:
        return
    # Newer FastAPI keeps an included router as it is, and joins prefixes when it is asked.
    included = getattr(route, "effective_route_contexts", None)
    if included is not None:
        for inner in included():
            describe(getattr(inner, "starlette_route", None) or inner, prefix, out)
        return
    path = prefix + getattr(route, "path", "")
    nested = getattr(route, "routes", None)
    if getattr(route, "methods", None):
        endpoint = getattr(route, "endpoint", None)
        text = getattr(route, "description", "") or getattr(route, "summary", "") or getattr(endpoint, "__doc__", "")
        for method in sorted(route.methods - {"HEAD"} if "GET" in route.methods else route.methods):
            out.append({"method": method, "path": path, "description": (text or "").strip()[:500]})
    elif nested is not None:
        for inner in nested:
            describe(inner, path.rstrip("/"), out)
    elif "WebSocket" in type(route).__name__:
        out.append({"method": "WEBSOCKET", "path": path})
    elif hasattr(route, "app"):
        out.append({"method": "MOUNT", "path": path or "/"})


# What FastAPI adds by itself, by the names that it gives these routes.
OWN_ROUTES = {"openapi", "swagger_ui_html", "swagger_ui_redirect", "redoc_html"}


def offer(app):
    """What the application says of itself, and all of its routes."""
    answer = {"openapi": None, "error": None, "routes": []}
    try:
        for route in getattr(app, "routes", ()):
            describe(route, "", answer["routes"])
        if hasattr(app, "openapi"):
            answer["openapi"] = app.openapi()
    except Exception as error:
        answer["error"] = type(error).__name__ + ": " + said.shorten(str(error))
    return json.dumps(answer, default=str).encode("utf-8", "replace")


class Observed:
    """The application, with one record for each request that it answered."""

    def __init__(self, app, records, probe):
        self.app = app
        self.records = records
        self.probe = probe
        self.told = None

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = dict(scope.get("headers") or ())
        if self.probe and headers.get(b"x-previewd-probe") == self.probe:
            if scope["path"] == OFFER_PATH:
                body = await self.offered()
                start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
                await send(start)
                return await send({"type": "http.response.body", "body": body})
            return await self.app(scope, receive, send)
        # Each request has a context of its own; what the server logs of it afterwards names it as well.
        said.request_id.set(headers.get(b"x-request-id", b"").decode("latin-1") or None)
        started = time.perf_counter()
        status = None

        async def observing_send(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self.app(scope, receive, observing_send)
        except BaseException:
            status = status or 500
            raise
        finally:
            said.end_lines(said.request_id.get())
            self.report(scope, status, (time.perf_counter() - started) * 1000)

    async def offered(self):
        """In a thread that nobody waits for: it takes its time, and a stop does not."""
        loop = asyncio.get_running_loop()
        told = self.told = loop.create_future()

        def tell():
            body = b""
            try:
                body = offer(self.app)
            finally:
                # The loop may be closed by now.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(lambda: told.done() or told.set_result(body))

        threading.Thread(target=tell, name="previewd", daemon=True).start()
        return await told

    def end(self):
        """Answers what is asked of it and not of the application."""
        if self.told is not None and not self.told.done():
            self.told.set_result(b"")
            # What the thread does now interests nobody: it gets as little of the interpreter as there is.
            sys.setswitchinterval(SHORT_TURN)

    def report(self, scope, status, millis):
        path = scope.get("path", "")
        if scope.get("query_string"):
            path += "?" + scope["query_string"].decode("latin-1")
        client = scope.get("client")
        self.records.send(
            "request",
            method=scope.get("method", "WEBSOCKET"),
            path=said.shorten(path),
            status=status,
            millis=round(millis, 2),
            client=client[0] if client else None,
        )


def prepare_process(spec):
    """The environment and the path of the application; nothing of the runner's own start shows."""
    os.environ.update(spec["env"])
    os.environ.setdefault("HOME", spec["dir"])
    os.chdir(spec["dir"])
    sys.argv = ["uvicorn", spec["module"] + ":" + spec["attribute"]]
    # The files are gone with the process, and so would their bytecode be.
    sys.dont_write_bytecode = True
    sys.path[:0] = [spec["dir"]]
    sys.path.extend(p for p in spec["paths"] if p not in sys.path)
    # -S leaves these out, and scripts use them.
    import site

    site.setquit()
    site.sethelper()


def load(spec):
    """The application object, imported as uvicorn would."""
    target = importlib.import_module(spec["module"])
    for name in spec["attribute"].split("."):
        target = getattr(target, name)
    return target() if spec["factory"] else target


def collect_garbage_rarely():
    """Until what is returned is called."""
    usually = gc.get_threshold()
    gc.set_threshold(*RARELY)

    def as_usual():
        # The application may have chosen for itself meanwhile.
        if gc.get_threshold()[0] == RARELY[0]:
            gc.set_threshold(*usually)

    return as_usual


def is_machinery(filename):
    return filename in (__file__, importlib.__file__) or filename.startswith("<frozen importlib")


def explain(records, error):
    """Tells why the application could not be imported, with the frames of its own code only."""
    frames = error.__traceback__
    while frames and is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error.with_traceback(frames), frames)).rstrip()
    records.send(
        "import_failed",
        type=type(error).__name__,
        error=said.shorten(str(error)),
        module=getattr(error, "name", None),
        message=said.shorten(text),
    )


def make_server(app, started, give_back):
    """A server that calls `started` once the application's own startup is over, and `give_back` when it was quiet for a while after its
    first answer, each time until it returns true."""
    import inspect

    import uvicorn

    logger = logging.getLogger("uvicorn.error")

    class Server(uvicorn.Server):
        """Ends when asked, not at the next tenth of a second."""

        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            started()

        async def main_loop(self):
            asked = asyncio.Event()

            def ask():
                self.should_exit = True
                asked.set()

            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ask)
            state, begun, given = self.server_state, 0, False
            while not self.should_exit:
                # Renews the Date header; uvicorn does it at every tenth tick of a tenth of a second.
                await self.on_tick(0)
                try:
                    await asyncio.wait_for(asked.wait(), 1.0)
                except asyncio.TimeoutError:
                    quiet = begun == state.total_requests > 0 and not state.tasks
                    given = given or quiet and give_back()
                    begun = state.total_requests

        async def shutdown(self, sockets=None):
            """As uvicorn's own, which looks only each tenth of a second whether requests have ended."""
            app.end()
            for listening in self.servers:
                listening.close()
            state = self.server_state
            for connection in list(state.connections):
                connection.shutdown()
            end = time.monotonic() + GRACE
            while (state.connections or state.tasks) and not self.force_exit:
                if time.monotonic() > end:
                    logger.warning("Cancelled %d request(s) that were still open after %d s", len(state.tasks), GRACE)
                    for task in state.tasks:
                        task.cancel()
                    break
                await asyncio.sleep(LOOK)
            if not self.force_exit:
                await self.lifespan.shutdown()

    options = {
        "access_log": False,
        "use_colors": False,
        "interface": "asgi3",
        "proxy_headers": True,
        "forwarded_allow_ips": "*",
    }
    known = inspect.signature(uvicorn.Config.__init__).parameters
    return Server(uvicorn.Config(app, **{k: v for k, v in options.items() if k in known}))


def main(spec, listener_fd, records_fd, give_back=lambda: True):
    """Serves until it is asked to end. `give_back` is called when nothing happens, until it says that it has."""
    records = said.Records(records_fd)
    prepare_process(spec)
    said.capture_logging(records)
    said.follow_requests(records)
    as_usual = collect_garbage_rarely()
    try:
        app = load(spec)
        server = make_server(Observed(app, records, spec["probe"].encode()), as_usual, give_back)
    except SystemExit:
        raise
    except BaseException as error:
        explain(records, error)
        sys.exit(1)
    listener = socket.socket(fileno=listener_fd)
    listener.setblocking(False)
    server.run(sockets=[listener])
    # Taking the interpreter apart costs more than everything else of a stop.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if server.started else 3)


def declare(spec):
    """Imports the application and prints what it offers to the standard output, and nothing else there."""
    answer = os.dup(1)
    os.dup2(2, 1)
    prepare_process(spec)
    text = offer(load(spec))
    while text:
        text = text[os.write(answer, text) :]
    # Whatever the application started at import ends with the sandbox.
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1:] == ["describe"]:
        declare(json.load(sys.stdin))
    with open(SPEC_FD, encoding="utf-8") as file:
        instructions = json.load(file)
    for fd in (LISTENER_FD, RECORDS_FD):
        os.set_inheritable(fd, False)
    main(instructions, LISTENER_FD, RECORDS_FD)

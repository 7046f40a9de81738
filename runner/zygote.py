"""Forks previews from a process that has imported their slow libraries already. Standard library only.

Started by previewd's keeper in a sandbox of its own: other namespaces, no rights, no network but that which its previews have. Descriptor 3 is a
`SOCK_SEQPACKET` socket to the keeper; each message is JSON with descriptors beside it:

    keeper: {"do": "setup", "runner": path, "rehearsal": path, "paths": [...],
             "filters": [base64 of a seccomp program, ...], "merge": bool}
            beside it, where the keeper may read them: the zygote's /proc files maps and pagemap
    zygote: {"say": "ready", "preloaded": [...], "single": bool, "loaded": [...], "missed": [...]}
    keeper: {"do": "fork", "id": n, "identity": id or null, "drop_groups": bool, "rlimits": [[resource, value], ...],
             "landlock": bool, "namespaces": flags, "exchanged": bool}
            beside it: gate, [landlock], the sandbox's init
    zygote: {"say": "started", "id": n, "pid": pid}   beside it: a pidfd
            {"say": "failed", "id": n, "message": text}

A child waits twice at its gate, which is a `SOCK_SEQPACKET` socket too. First until it is told that the keeper has moved it to its cgroup: then
it gives up its rights, and rehearses while there is nothing else to do, so that the memory that every application
changes is its own by the time that it is one. Then until it gets instructions, listener, records, stdout and stderr: then it is the
application's. A fork shares the zygote's address layout and hash seed, so there is one for each user and environment. While an environment
has none yet, that of another one may fork for it, if everything that it imported is the same there: in the child's sandbox the packages
are exchanged then. What is the same is told by the top-level names that it loaded, and by those that its libraries missed.
"""

import base64
import contextlib
import ctypes
import fcntl
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import re
import resource
import select
import signal
import socket
import sys

CONTROL_FD = 3
SPEC_FD, LISTENER_FD, RECORDS_FD = 3, 4, 5
# Where descriptors wait while the ones below are arranged.
ASIDE = 64
MAX_MESSAGE = 256 * 1024
MAX_FDS = 16

CLONE_THREAD = 0x10000
PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 15, 22, 24, 38, 47
PR_SET_MEMORY_MERGE = 67
SECCOMP_MODE_FILTER, PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
CAPABILITY_VERSION_3 = 0x20080522
SYS_LANDLOCK_RESTRICT_SELF = 446

# What previews of generated backends import, as far as the environment has it. Only what starts no thread.
PRELOAD = """
asyncio concurrent.futures contextlib dataclasses datetime decimal email.message enum hashlib hmac inspect ipaddress json
logging.config logging.handlers pathlib random re secrets site sqlite3 ssl statistics tempfile threading typing urllib.parse
urllib.request uuid zoneinfo
typing_extensions annotated_types pydantic pydantic.networks pydantic.deprecated.class_validators pydantic_core pydantic.v1
pydantic_settings email_validator dotenv yaml orjson ujson
anyio anyio._backends._asyncio sniffio h11 httptools uvloop websockets wsproto
websockets.legacy.server
starlette starlette.applications starlette.middleware.cors starlette.middleware.gzip starlette.middleware.base
starlette.middleware.errors starlette.middleware.exceptions starlette.middleware.trustedhost starlette.responses
starlette.staticfiles starlette.templating starlette.websockets starlette.formparsers starlette.background
fastapi fastapi.responses fastapi.security fastapi.encoders fastapi.exceptions fastapi.openapi.utils fastapi.openapi.docs
fastapi.middleware.cors fastapi.staticfiles fastapi.templating fastapi.websockets fastapi.concurrency
fastapi.telemetry._runtime
uvicorn uvicorn.config uvicorn.server uvicorn.main uvicorn.loops.auto uvicorn.loops.uvloop uvicorn.loops.asyncio
uvicorn.lifespan.on uvicorn.protocols.http.auto uvicorn.protocols.http.h11_impl uvicorn.protocols.http.httptools_impl
uvicorn.protocols.websockets.auto uvicorn.protocols.websockets.websockets_impl uvicorn.middleware.proxy_headers
uvicorn.protocols.websockets.websockets_sansio_impl uvicorn.protocols.websockets.wsproto_impl uvicorn.logging
sqlalchemy sqlalchemy.orm sqlalchemy.ext.declarative sqlalchemy.ext.asyncio sqlalchemy.ext.hybrid sqlalchemy.pool
sqlalchemy.dialects.sqlite sqlalchemy.dialects.sqlite.pysqlite sqlalchemy.dialects.sqlite.aiosqlite
sqlalchemy.dialects.postgresql sqlmodel aiosqlite greenlet itsdangerous
jinja2 jinja2.ext markupsafe multipart python_multipart httpx httpcore certifi requests
jose jose.jwt jwt passlib passlib.context passlib.hash bcrypt cryptography cryptography.hazmat.primitives.asymmetric.rsa
""".split()

libc = ctypes.CDLL(None, use_errno=True)


def check(result, step):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, step + ": " + os.strerror(error))


def prctl(step, option, *arguments):
    arguments = [a if isinstance(a, ctypes.Structure) else ctypes.c_ulong(a) for a in arguments]
    arguments = [ctypes.byref(a) if isinstance(a, ctypes.Structure) else a for a in arguments]
    arguments += [ctypes.c_ulong(0)] * (4 - len(arguments))
    check(libc.prctl(option, *arguments), step)


def be_called(name):
    """What `ps` shows to the operator, and to the tests."""
    libc.prctl(PR_SET_NAME, name, 0, 0, 0)


class Program(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    @classmethod
    def of(cls, code):
        return cls(len(code) // 8, code)


class CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def drop_capabilities():
    for capability in range(64):
        try:
            prctl("drop a capability", PR_CAPBSET_DROP, capability)
        except OSError:
            # Past the kernel's last one.
            break
    prctl("clear ambient capabilities", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    none = (ctypes.c_uint32 * 6)()
    check(libc.capset(ctypes.byref(CapabilityHeader(CAPABILITY_VERSION_3, 0)), none), "drop capabilities")


def confine(order, landlock, programs):
    """Gives up everything, in the order in which it can be given up. As `confine` of the sandbox crate."""
    if order["drop_groups"]:
        os.setgroups([])
    if order["identity"] is not None:
        os.setresgid(*[order["identity"]] * 3)
        os.setresuid(*[order["identity"]] * 3)
    for number, value in order["rlimits"]:
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))
    drop_capabilities()
    prctl("forbid new privileges", PR_SET_NO_NEW_PRIVS, 1)
    # The change of user took it; without it a program cannot read its own /proc files.
    prctl("show the process to itself", PR_SET_DUMPABLE, 1)
    if landlock is not None:
        check(libc.syscall(SYS_LANDLOCK_RESTRICT_SELF, landlock, 0), "enforce landlock")
    for program in programs:
        prctl("install a seccomp program", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)


def set_aside(fd):
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, ASIDE)


def arrange(given):
    """Gives descriptors the numbers that the runner looks for, and closes all others but those set aside."""
    spec, listener, records, stdout, stderr = [set_aside(fd) for fd in given]
    null = set_aside(os.open("/dev/null", os.O_RDONLY))
    places = (null, stdout, stderr, spec, listener, records)
    for number, fd in enumerate(places):
        os.dup2(fd, number, inheritable=number < 3)
        os.close(fd)
    os.closerange(len(places), ASIDE)


def shadowed(directory):
    """Whether the project has a module of its own by the name of one that is imported here already."""
    with os.scandir(directory) as entries:
        names = {e.name.partition(".")[0] for e in entries if e.is_dir() or e.name.endswith((".py", ".so"))}
    return any(name in sys.modules for name in names)


def module_at(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Missed:
    """The last that is asked for a module, or for a distribution: what nobody had."""

    def __init__(self):
        self.names = set()

    def find_spec(self, name, path=None, target=None):
        if path is None:
            self.names.add(name)

    def find_distributions(self, context):
        if context.name is not None:
            self.names.add(re.sub("[-_.]+", "_", context.name).lower())
        return ()


def is_there(name):
    """Whether there is such a module. Does not count as asking for it: that is not what libraries do."""
    return name in sys.modules or name in sys.builtin_module_names or importlib.machinery.PathFinder.find_spec(name) is not None


class Zygote:
    def __init__(self, control):
        self.control = control
        self.programs = []
        self.runner = None
        self.runner_path = None
        self.rehearse = None
        self.template = None

    def say(self, fds=(), **message):
        socket.send_fds(self.control, [json.dumps(message).encode()], fds)

    def serve(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.control, MAX_MESSAGE, MAX_FDS, socket.MSG_CMSG_CLOEXEC)
            if not data:
                return
            order = json.loads(data)
            if order["do"] == "setup":
                self.setup(order, fds)
            elif order["do"] == "fork":
                self.fork(order, fds)
            for fd in fds:
                os.close(fd)

    def setup(self, order, own):
        self.programs = [Program.of(base64.b64decode(code)) for code in order["filters"]]
        self.runner_path = order["runner"]
        sys.path.extend(order["paths"])
        if order["merge"]:
            # Forks inherit it, and may not ask for it themselves. Kernels before 6.4 do not know it.
            libc.prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0)
        gc.disable()
        loaded = []
        missed = Missed()
        sys.meta_path.append(missed)
        for name in PRELOAD:
            try:
                if is_there(name.partition(".")[0]):
                    importlib.import_module(name)
                    loaded.append(name)
            except Exception:
                # Not working, or not all there: the application will find out for itself.
                continue
        self.runner = module_at("previewd_runner", self.runner_path)
        self.rehearse = module_at("previewd_rehearsal", order["rehearsal"]).rehearse
        self.gather()
        sys.meta_path.remove(missed)
        modules = {name.partition(".")[0] for name in sys.modules}
        gc.freeze()
        # The kernel allows this to processes with a single thread only, and then it does nothing.
        single = libc.unshare(CLONE_THREAD) == 0
        if single and own:
            self.found_template(*own)
        self.say(say="ready", preloaded=loaded, single=single, loaded=sorted(modules), missed=sorted(missed.names))

    def beside(self, name):
        """The path of a program that comes with the runner."""
        return os.path.join(os.path.dirname(self.runner_path), name)

    def gather(self):
        """Rehearses, and leaves the memory so that forks copy little of it."""
        density = module_at("previewd_density", self.beside("density.py"))
        ran = density.run_code(self.rehearse)
        density.fill()
        density.gather(ran)
        # The interpreter has met nothing yet in the code that is new.
        self.rehearse()
        density.fill()

    def found_template(self, maps, page_map):
        template = module_at("previewd_template", self.beside("template.py"))
        try:
            self.template = template.Template(self.beside("template.so"), maps, page_map)
        except OSError:
            # The kernel, or the C library, is another one than it needs: forks keep what they copy.
            pass

    def give_back(self):
        """Pages that this fork has copied for nothing. Returns whether there is nothing to do any more."""
        with contextlib.suppress(OSError):
            return self.template is None or self.template.give_back()
        return True

    def fork(self, order, fds):
        """The intermediate joins and forks again: a pid namespace holds for children only. It does not wait."""
        if os.fork() != 0:
            return
        status = 1
        try:
            fds = list(fds)
            gate, landlock = fds[0], fds[1] if order["landlock"] else None
            check(libc.setns(fds[-1], order["namespaces"]), "join the sandbox")
            # Who ignores it has the kernel reap its children: one that ended at once would have ended untold.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            pid = os.fork()
            if pid == 0:
                self.become(order, gate, landlock)
            pidfd = os.pidfd_open(pid)
            self.say([pidfd], say="started", id=order["id"], pid=pid)
            status = 0
        except BaseException as error:
            self.say(say="failed", id=order["id"], message=str(error))
        finally:
            os._exit(status)

    def become(self, order, gate, landlock):
        """The application's process, from here to its end."""
        status = 70
        try:
            self.control.detach()
            os.setsid()
            gate = socket.socket(fileno=set_aside(gate))
            landlock = None if landlock is None else set_aside(landlock)
            os.closerange(CONTROL_FD, ASIDE)
            be_called(b"spare")
            failure = self.prepare(order, gate, landlock)
            given = socket.recv_fds(gate, 1, MAX_FDS, socket.MSG_CMSG_CLOEXEC)[1]
            gate.close()
            if given:
                arrange(given)
                be_called(b"preview")
                if failure is not None:
                    # Now there is somebody to hear of it.
                    raise failure
                status = self.run()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)

    def prepare(self, order, gate, landlock):
        """Everything that can be done before there is an application. Returns what went wrong."""
        try:
            if not gate.recv(1):
                raise EOFError
            confine(order, landlock, self.programs)
            if landlock is not None:
                os.close(landlock)
            if order["exchanged"]:
                # What it knows of the directories is that of others.
                importlib.invalidate_caches()
            awaited = select.poll()
            awaited.register(gate, select.POLLIN)
            self.rehearse(enough=lambda: awaited.poll(0))
            if not awaited.poll(0):
                self.give_back()
        except BaseException as error:
            return error

    def run(self):
        with open(SPEC_FD, encoding="utf-8", closefd=False) as file:
            spec = json.load(file)
        if shadowed(spec["dir"]):
            os.lseek(SPEC_FD, 0, os.SEEK_SET)
            for fd in (SPEC_FD, LISTENER_FD, RECORDS_FD):
                os.set_inheritable(fd, True)
            os.execv(sys.executable, [sys.executable, "-I", "-S", "-u", "-X", "utf8", self.runner_path])
        os.close(SPEC_FD)
        gc.enable()
        return self.finish(spec)

    def finish(self, spec):
        """Ends as an interpreter does: with the exit handlers, and the status that the program chose."""
        status = 0
        try:
            self.runner.main(spec, LISTENER_FD, RECORDS_FD, self.give_back)
        except SystemExit as error:
            status = exit_status(error)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            status = 1
        import atexit
        import threading

        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        return status


def exit_status(error):
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    # Children of the intermediates are the keeper's; the intermediates themselves interest nobody.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.set_inheritable(CONTROL_FD, False)
    be_called(b"zygote")
    Zygote(socket.socket(fileno=CONTROL_FD)).serve()

"""Everybody's way of logging, in one application."""

import asyncio
import concurrent.futures
import logging.config
import subprocess
import sys
import threading

import structlog
from fastapi import BackgroundTasks, FastAPI
from loguru import logger as loguru_logger
from rich.logging import RichHandler

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": True,
        "formatters": {"own": {"format": "%(asctime)s <%(name)s> %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "own", "stream": "ext://sys.stderr"}},
        "loggers": {"shop": {"handlers": ["console"], "level": "DEBUG", "propagate": False}},
        "root": {"handlers": ["console"], "level": "INFO"},
    }
)
shop = logging.getLogger("shop")
rich_logger = logging.getLogger("rich-one")
rich_logger.addHandler(RichHandler())
rich_logger.propagate = False
structured = structlog.get_logger()
# Without Rich's boxes, and for machines.
structured_plain = structlog.wrap_logger(
    structlog.PrintLogger(),
    [structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
)
structured_json = structlog.wrap_logger(
    structlog.PrintLogger(),
    [structlog.processors.add_log_level, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
)

app = FastAPI()


def fail() -> None:
    try:
        {}["cause"]
    except KeyError as cause:
        raise ValueError("the effect") from cause


@app.get("/dictconfig")
def dictconfig() -> None:
    shop.warning("dictconfig speaks")
    try:
        fail()
    except ValueError:
        shop.exception("dictconfig fails")


@app.get("/loguru")
def loguru() -> None:
    loguru_logger.warning("loguru speaks")
    try:
        fail()
    except ValueError:
        loguru_logger.exception("loguru fails")


@app.get("/structlog")
def structlogged() -> None:
    structured.warning("structlog speaks", shelf=7)
    try:
        fail()
    except ValueError:
        structured.exception("structlog fails")


@app.get("/structlog-plain")
def structlogged_plainly() -> None:
    structured_plain.warning("structlog-plain speaks", shelf=7)
    try:
        fail()
    except ValueError:
        structured_plain.exception("structlog-plain fails")


@app.get("/structlog-json")
def structlogged_for_machines() -> None:
    structured_json.warning("structlog-json speaks", shelf=7)
    try:
        fail()
    except ValueError:
        structured_json.exception("structlog-json fails")


@app.get("/rich")
def rich() -> None:
    rich_logger.warning("rich speaks")
    try:
        fail()
    except ValueError:
        rich_logger.exception("rich fails")


def everywhere(where: str) -> None:
    print(f"printed {where}")
    sys.stderr.write(f"no line end {where}")
    shop.info("logged %s", where)


@app.get("/sync")
def sync() -> None:
    everywhere("in sync")


@app.get("/async")
async def asynchronous(tasks: BackgroundTasks) -> None:
    everywhere("in async")
    tasks.add_task(everywhere, "in background")
    await asyncio.create_task(asyncio.sleep(0))
    await asyncio.to_thread(everywhere, "in to_thread")
    await asyncio.get_running_loop().run_in_executor(None, everywhere, "in executor")


@app.get("/threads")
def threads() -> None:
    thread = threading.Thread(target=everywhere, args=("in thread",))
    thread.start()
    thread.join()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(everywhere, "in pool").result()


@app.get("/long")
def long() -> None:
    print("x" * 100_000)
    print("after the long line")


@app.get("/raw")
def raw() -> None:
    print("by a child's parent")
    subprocess.run(["/bin/echo", "by a child"], check=False)

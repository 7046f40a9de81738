"""Routes that show what logs and failures look like."""

import logging

from fastapi import APIRouter

logger = logging.getLogger("bookshop.diagnostics")
router = APIRouter(prefix="/diagnostics", tags=["diagnostics"])


@router.get("/logs")
def write_logs() -> dict[str, int]:
    """Writes a log line of every level, and a plain one."""
    logger.debug("looking under the shelves")
    logger.info("counting the till")
    logger.warning("only one copy of Solaris is left")
    logger.error("the delivery is late")
    logger.critical("the roof leaks")
    print("a plain line, without a level")
    return {"lines": 6}


@router.get("/crash")
def crash() -> None:
    """Raises an exception: a 500 here, a traceback in the logs."""
    raise RuntimeError("a shelf fell over")

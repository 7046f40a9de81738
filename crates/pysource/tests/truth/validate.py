"""Says what is wrong with OpenAPI documents.

Reads a line {"name": …, "openapi": …, "theirs": …} for each and prints a line for each error of the first document that
the second, which FastAPI made, does not have.
"""

import json
import sys

from openapi_spec_validator import OpenAPIV31SpecValidator


def errors(document):
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        where = "/".join(str(part) for part in getattr(error, "absolute_path", ()))
        yield f"{where}: {str(getattr(error, 'message', error))[:300]}"


for line in sys.stdin:
    one = json.loads(line)
    if found := list(errors(one["openapi"])):
        # Of two operations with one id it names the later, and the order may differ.
        known = {error.split(" for ")[0] for error in errors(one["theirs"])}
        for error in found:
            if error.split(" for ")[0] not in known:
                print(f"{one['name']}: {error}")

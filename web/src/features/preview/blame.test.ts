import { expect, test } from "vitest";
import { placeOf } from "./blame";

test("a traceback leads to the innermost line of the generation's own", () => {
  const tail = [
    "INFO:     Started",
    "Traceback (most recent call last):",
    '  File "app/main.py", line 3, in <module>',
    "    from app.models import Book",
    '  File "app/models.py", line 12, in <module>',
    '  File "site-packages/pydantic/main.py", line 99, in __new__',
    '  File "/usr/lib/python3.11/enum.py", line 1, in x',
    '  File "<frozen importlib>", line 4, in y',
    "TypeError: no",
  ];
  expect(placeOf(tail)).toEqual({ path: "app/models.py", line: 12 });
  expect(placeOf([tail.join("\n")])).toEqual({ path: "app/models.py", line: 12 });
});

test("what is not in the files leads nowhere", () => {
  expect(placeOf([])).toBeNull();
  expect(placeOf(['  File "/etc/passwd", line 1', '  File "../x.py", line 1', "ValueError"])).toBeNull();
});

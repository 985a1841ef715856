"""A table of cases in one test: thousands of tests of a microsecond cost a minute of pytest alone."""

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from typing import Any


def every(names: str, cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like `pytest.mark.parametrize`, but all cases are one test, which reports each that fails.

    They share the fixtures of the test: for functions that leave nothing behind.
    """
    keys, rows = [name.strip() for name in names.split(",")], list(cases)
    assert rows, "no cases"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def all_of_them(**fixtures: Any) -> None:
            failed: list[Exception] = []
            for row in rows:
                case = dict(zip(keys, row if len(keys) > 1 else [row], strict=True))
                try:
                    test(**case, **fixtures)
                except Exception as error:  # noqa: BLE001 (reported below, with the others)
                    error.add_note(f"case: {case}")
                    failed.append(error)
                    if "MUTANT_UNDER_TEST" in os.environ:
                        break  # mutmut asks only whether any case fails
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(rows)} cases fail", failed)

        signature = inspect.signature(test)
        fixtures = [item for name, item in signature.parameters.items() if name not in keys]
        vars(all_of_them)["__signature__"] = signature.replace(parameters=fixtures)
        return all_of_them

    return decorate

"""Any order of installing, killing, resuming, editing, renewing and removing keeps the promises."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.crash import plugin
from tests.crash.gateway import Gateway
from tests.crash.kill import Scene
from tests.parameters import sample

_CHUNKS = 8
_ALL, _SAMPLE = 10_000, 80
# What the servers here may be upgraded to.
_RELEASE = (f"sha256:{'5' * 64}", f"sha256:{'6' * 64}")
# Orders that once broke a promise, each a list of steps: [rule, arguments].
_ORDERS = sorted((Path(__file__).parent / "orders").glob("*.json"))


@pytest.fixture(scope="module")
def scene(variant: Callable[[str], Scene]) -> Scene:
    arena = variant("fresh").arena
    Gateway.scene = Scene(arena, lambda: arena.offer("2.0", *_RELEASE)).rehearse()
    return Gateway.scene


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("chunk", sample(range(_CHUNKS), kept=()))
def test_any_order_keeps_the_promises(everything: bool, scene: Scene, chunk: int) -> None:
    wanted, start = (_ALL if everything else _SAMPLE) // _CHUNKS, Gateway.count
    rules = settings(
        max_examples=5,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    last: list[Gateway] = []

    class Remembered(Gateway):
        def __init__(self) -> None:
            super().__init__()
            last[:] = [self]

    rounds = 0
    while Gateway.count - start < wanted:
        rounds += 1
        try:
            run_state_machine_as_test(seed(chunk * 1000 + rounds)(Remembered), settings=rules)
        except BaseException as error:
            error.add_note(f"keep in tests/crash/orders: {json.dumps(last[0].steps)}")
            plugin.record("states", steps=Gateway.count - start, complaints=[str(error)[:300]])
            raise
    plugin.record("states", steps=Gateway.count - start, complaints=[])


@pytest.mark.parametrize("order", _ORDERS, ids=lambda path: path.stem)
def test_an_order_that_once_broke_a_promise(scene: Scene, order: Path) -> None:
    gateway = Gateway()
    gateway.begin()
    steps: list[tuple[str, dict[str, Any]]] = json.loads(order.read_text())
    for name, arguments in steps:
        getattr(gateway, name)(**arguments)
        gateway.check_promises()

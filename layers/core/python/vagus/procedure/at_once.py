"""Many things at once, within a time: what does not end in time is left to itself, and keeps nobody waiting.

Python can't end a thread. One that is left behind goes on until its own time-outs end it (in Lambda also in the next
call); whatever it then writes is compare-and-set, and loses to what was written meanwhile.

Without a bound (`math.inf`) nothing is left behind, and a call needs no thread of its own.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Thread

from vagus.errors import Unreachable


def each[K, V](
    things: Sequence[K], do: Callable[[K], V], late: Callable[[K], V], *, at_once: int, seconds: float
) -> list[V]:
    """What `do` makes of each, in their order; of those that have not ended after `seconds`, what `late` makes."""
    if at_once == 1 and math.isinf(seconds):
        return [do(thing) for thing in things]
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="each")
    try:
        begun = [pool.submit(do, thing) for thing in things]
        ended = wait(begun, timeout=seconds).done
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [one.result() if one in ended else late(thing) for thing, one in zip(things, begun, strict=True)]


def within[V](seconds: float, call: Callable[[], V]) -> V:
    """What the call answers. Raises what it raises, or `Unreachable` if it takes longer."""
    if math.isinf(seconds):
        return call()
    answer: Future[V] = Future()

    def answered() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001  (it is raised again where the answer is asked for)
            answer.set_exception(error)

    Thread(target=answered, daemon=True, name="within").start()
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        if answer.done():  # it was the call that raised this
            raise
        raise Unreachable(f"no answer within {seconds:.0f} s") from error

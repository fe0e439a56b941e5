"""What may befall a replacement. Each makes a fresh world, whose groups launch from a new template; the oracle judges
each instance that is asked to be replaced, and each that is let go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.unit.rolling_upgrade.interruptions import ends_alike
from tests.unit.rolling_upgrade.scenarios import aborts, always, approves, asked
from tests.unit.rolling_upgrade.world import ROOM, RollingWorld, declared
from tests.unit.simulation.happenings import retires
from tests.unit.simulation.ports import Meter
from tests.unit.simulation.world import World

from vagus.intent import replace
from vagus.reasons import Reason

NEW, NEWER = "lt-1:2", "lt-1:3"
FIRST, SECOND = (f"i-{number:017x}" for number in (1, 2))
GROUP = "claims-data-eu-west-1a"


@dataclass
class ReplacingWorld(RollingWorld):
    """`replaced`, in the summary: what was asked for, however often an answer was lost."""

    def launch_from(self, template: str) -> None:
        """A deploy of another instance type, say."""
        for group in self.groups.describe():
            self.groups.launches_from(group.name, template)

    def templates(self) -> list[str]:
        """What the instances were launched from, that run."""
        return sorted({one.template for group in self.groups.describe() for one in group.instances})

    def summary(self) -> dict[str, Any]:
        found = super().summary()
        del found["restarted"]
        return found | {"templates": self.templates(), "replaced": sorted(self.oracle.replaced)}


Scenario = Callable[..., ReplacingWorld]


def made(per_zone: int = 1, *, managers: int = 0, **options: Any) -> ReplacingWorld:
    """A cluster whose groups launch from something new. Three nodes, unless said otherwise."""
    spec = options.pop("spec", None) or declared(per_zone=per_zone, managers=managers)
    world = ReplacingWorld(**{"meter": Meter(), "spec": spec, **options})
    world.launch_from(NEW)
    return world


def wants(*instances: str) -> Callable[[World], None]:
    def ask(world: World) -> None:
        assert isinstance(world, ReplacingWorld)
        world.ask(replace(instances, world.iso(), "ada"))

    return ask


def replaced(count: int) -> Callable[[World], bool]:
    return lambda world: len(world.oracle.replaced) >= count


def told(reason: Reason) -> Callable[[World], bool]:
    return lambda world: any(reason in page for page in world.pages)


def asked_and_approved(world: ReplacingWorld, *instances: str) -> ReplacingWorld:
    world.when("a person asks", always, wants(*instances))
    world.when("a person approves", asked, approves)
    return world


def three_are_replaced(**options: Any) -> ReplacingWorld:
    """Each can be drained: every index has a copy less than there are zones."""
    return asked_and_approved(made(**options))


def three_where_each_replacement_comes_late(**options: Any) -> ReplacingWorld:
    return asked_and_approved(made(replaces="when_gone", **options))


def three_of_which_each_has_nowhere_to_go(**options: Any) -> ReplacingWorld:
    """A copy on every node: each is held, and goes when its replacement has its shards."""
    world = made(**options)
    world.engine.create_index("wide", replicas=2, size=2000)
    return asked_and_approved(world)


def one_is_dead_and_what_it_held_has_nowhere_to_go(**options: Any) -> ReplacingWorld:
    """A copy on every node: only the dead one's replacement makes the cluster whole."""
    world = made(**options)
    world.engine.create_index("wide", replicas=2, size=2000)
    world.clock.now += 60
    world.engine.look()
    world.engine.crash(SECOND)
    return asked_and_approved(world)


def aws_shows_it_late(**options: Any) -> ReplacingWorld:
    return asked_and_approved(made(lag=40.0, **options))


def six_and_managers_apart(**options: Any) -> ReplacingWorld:
    return asked_and_approved(made(2, managers=1, **options))


def one_that_is_named(**options: Any) -> ReplacingWorld:
    """Whatever it was launched from."""
    world = made(**options)
    world.launch_from("lt-1:1")
    return asked_and_approved(world, SECOND)


def another_is_asked_for_elsewhere_meanwhile(**options: Any) -> ReplacingWorld:
    """By an instance refresh, say: nothing of ours is asked for before it is over."""
    world = asked_and_approved(made(2, **options))
    world.when("a refresh", replaced(1), lambda one: one.groups.scale_in(_serving(one)[-1], decrement=False))
    return world


def _serving(world: World) -> list[str]:
    return [name for name in world.instances() if name not in world.oracle.replaced]


def another_retires_meanwhile(**options: Any) -> ReplacingWorld:
    """Two rooms replace now, and AWS shows late who was asked for."""
    world = asked_and_approved(made(lag=40.0, **options))
    world.when("it retires", replaced(1), lambda one: retires(_serving(one)[-1])(one))
    return world


def a_person_stops_and_resumes(**options: Any) -> ReplacingWorld:
    world = asked_and_approved(made(**options))
    world.when("vagus stop", replaced(1), lambda one: one.halt(ROOM))
    world.when("vagus resume", lambda one: "PAUSED" in one.seen().head(ROOM).reason, lambda one: one.resume(ROOM))
    return world


def one_is_protected_until_a_person_takes_it_back(**options: Any) -> ReplacingWorld:
    """The others go first."""
    world = made(**options)
    world.groups.protect(FIRST)
    asked_and_approved(world)
    world.when("taken back", told(Reason.NOT_REPLACEABLE), lambda one: one.groups.protect(FIRST, protected=False))
    return world


def one_cause_after_another_is_put_right(**options: Any) -> ReplacingWorld:
    """Of the one instance that is named, under one reason; a person is told of each."""
    world = made(**options)
    world.launch_from("lt-1:1")
    world.groups.protect(FIRST)
    world.groups.suspend(GROUP, "Terminate")
    world.when("a person asks", always, wants(FIRST))
    world.when("taken back", told_often(1), lambda one: one.groups.protect(FIRST, protected=False))
    world.when("resumed", told_often(2), lambda one: one.groups.suspend(GROUP))
    world.when("a person approves", asked, approves)
    return world


def told_often(times: int) -> Callable[[World], bool]:
    return lambda world: sum(Reason.NOT_REPLACEABLE in page for page in world.pages) >= times


def launches_fail_until_a_person_resumes(**options: Any) -> ReplacingWorld:
    """The new instance type is not to be had: no further one is asked for meanwhile."""
    world = asked_and_approved(made(**options))
    world.when("no capacity", asked, lambda one: one.groups.refuse_launches(GROUP, "no capacity"))
    world.when("mended", told(Reason.LAUNCHES_FAIL), lambda one: one.groups.refuse_launches(GROUP, ""))
    world.when("vagus resume", always, World.resume)
    return world


def the_new_template_launches_nowhere_until_a_person_mends_it(**options: Any) -> ReplacingWorld:
    """It names an image that is not there: one instance is missing meanwhile, and not one in each zone."""

    def spoilt(why: str) -> Callable[[World], None]:
        def everywhere(world: World) -> None:
            for group in world.groups.describe():
                world.groups.refuse_launches(group.name, why)

        return everywhere

    world = asked_and_approved(made(**options))
    world.when("no such image", asked, spoilt("InvalidAMIID.NotFound"))
    world.when("mended", told(Reason.LAUNCHES_FAIL), spoilt(""))
    world.when("vagus resume", always, World.resume)
    return world


def a_deploy_comes_in_between(**options: Any) -> ReplacingWorld:
    """A yes to one template is none to another: a person is asked anew, and those that were replaced go again."""

    def deploy(world: World) -> None:
        assert isinstance(world, ReplacingWorld)
        world.launch_from(NEWER)
        world.pages.clear()

    world = asked_and_approved(made(**options))
    world.when("a deploy", replaced(1), deploy)
    world.when("a person approves anew", asked, approves)
    return world


SCENARIOS: Mapping[str, Scenario] = {
    make.__name__: make
    for make in (
        three_are_replaced,
        three_where_each_replacement_comes_late,
        three_of_which_each_has_nowhere_to_go,
        one_is_dead_and_what_it_held_has_nowhere_to_go,
        aws_shows_it_late,
        six_and_managers_apart,
        one_that_is_named,
        another_is_asked_for_elsewhere_meanwhile,
        another_retires_meanwhile,
        a_person_stops_and_resumes,
        one_is_protected_until_a_person_takes_it_back,
        one_cause_after_another_is_put_right,
        launches_fail_until_a_person_resumes,
        the_new_template_launches_nowhere_until_a_person_mends_it,
        a_deploy_comes_in_between,
    )
}


def a_person_aborts(**options: Any) -> ReplacingWorld:
    world = asked_and_approved(made(**options))
    world.when("vagus abort", replaced(1), aborts)
    return world


def replaced_alike(make: Scenario) -> None:
    """Interrupted anywhere it ends as if it had not been, a request whose answer was lost among it."""
    assert "after apply.groups.replace" in ends_alike(make)

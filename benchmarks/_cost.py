"""What Vagus costs, from counts and prices. Pure: `cost.py` counts, `cost_prices.json` has the prices.

python -m benchmarks cost         counts anew on the local stack, writes cost_counts.json
python -m benchmarks._cost        writes docs/cost.md from both files
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from vagus_agent.agent import BUSY, LIVELY_SECONDS, REPORT_SECONDS, REST

HERE = Path(__file__).parent
COUNTS, PRICES = HERE / "cost_counts.json", HERE / "cost_prices.json"
PAGE = HERE.parent / "docs" / "cost.md"
HOURS = 730
MINUTES = HOURS * 60
BUSY_DRAINS = 100
"""Instances that leave in a busy month, in each cluster."""
FLEETS = (1, 50)
CELL_TAKES = 30
"""Clusters of a cell: roles name them, and IAM takes 10,240 characters of a role (a synth refuses more)."""
SWEEP_GETS = 3
"""How often a sweep gets the report of a cluster on Kubernetes (`tests/unit/runtime/test_sites.py` counts)."""
Number = Callable[[int], float]
"""How many of something a cell with so many clusters has, or uses in a month."""


class Price(msgspec.Struct, frozen=True):
    """`dollars` for one of what `per` says."""

    dollars: float
    per: str
    source: str


class Prices(msgspec.Struct, frozen=True):
    """List prices as they were at a date."""

    date: str
    region: str
    prices: Mapping[str, Price]


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted: calls of AWS by operation, units of tables, calls and GB seconds of functions, state
    transitions, bytes of log."""

    calls: Mapping[str, float] = {}
    read_units: float = 0
    write_units: float = 0
    function_calls: float = 0
    gb_seconds: float = 0
    transitions: float = 0
    log_bytes: float = 0


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """`how`: on the local stack, or in the simulation (`_cost_simulated`). `minute`: one idle minute of a cell with one
    cluster, of which `shared` does not grow with clusters. `drain`: one instance that leaves. `cell`, `cluster`: what
    their stacks have, by what it is priced by. `quiet_figures`: told of a cluster that is well."""

    counted: str
    how: Literal["stack", "simulation"]
    minute: Use
    shared: Use
    drain: Use
    cell: Mapping[str, int]
    cluster: Mapping[str, int]
    quiet_figures: int


class Line(msgspec.Struct, frozen=True):
    """One line of a bill: dollars a month, by number of clusters."""

    what: str
    dollars: tuple[float, ...]


def cells(clusters: int) -> int:
    """How many cells so many clusters need."""
    return -(-clusters // CELL_TAKES)


def bill(counts: Counts, prices: Prices, *, drains: int) -> list[Line]:
    """Dollars a month for each of FLEETS, with so many drains a month and cluster."""

    def priced(what: str, name: str, number: Number) -> Line:
        return Line(what, tuple(prices.prices[name].dollars * number(clusters) for clusters in FLEETS))

    def used(of: str) -> Number:
        def number(clusters: int) -> float:
            minute, shared, drain = (getattr(one, of) for one in (counts.minute, counts.shared, counts.drain))
            return float(
                MINUTES * (shared * cells(clusters) + (minute - shared) * clusters) + drain * drains * clusters
            )

        return number

    def held(name: str, times: float = 1) -> Number:
        return lambda clusters: (
            times * (counts.cell.get(name, 0) * cells(clusters) + counts.cluster.get(name, 0) * clusters)
        )

    return [
        priced("interface endpoints", "interface endpoint", held("interface endpoint", HOURS)),
        priced("customer keys", "key", held("key")),
        priced("secrets", "secret", held("secret")),
        priced("alarms", "alarm", held("alarm")),
        priced("figures of clusters", "custom metric", lambda clusters: counts.quiet_figures * clusters),
        priced("dashboard", "dashboard", held("dashboard")),
        priced("functions: calls", "lambda call", used("function_calls")),
        priced("functions: time", "lambda GB second", used("gb_seconds")),
        priced("state transitions", "state transition", used("transitions")),
        priced("tables: reads", "table read unit", used("read_units")),
        priced("tables: writes", "table write unit", used("write_units")),
        priced("logs of functions", "log GB", lambda clusters: used("log_bytes")(clusters) / 1e9),
        priced("queue: the poller's requests", "queue request", lambda clusters: 15.0 * MINUTES * cells(clusters)),
    ]


class AtSite(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent of a cluster on Kubernetes asks of S3 in a minute, at most: a round takes time of its own."""

    gets: float
    puts: float


AT_REST = AtSite(gets=2 * 60 / REST, puts=60 / REPORT_SECONDS)
"""Each round gets commands and bundle; a report is put once a minute."""
UNDER_WAY = AtSite(gets=2 * 60 / BUSY, puts=60 / BUSY)
"""Each round puts a report too."""


def of_site(prices: Prices, calls: AtSite, minutes: float) -> float:
    """Dollars for so many minutes of an agent's calls."""
    get, put = prices.prices["object get"].dollars, prices.prices["object put"].dollars
    return minutes * (calls.gets * get + calls.puts * put)


def _site(prices: Prices) -> Mapping[str, str]:
    sweep = of_site(prices, AtSite(gets=SWEEP_GETS, puts=0), MINUTES)
    return {
        "rest": f"{REST:.0f}",
        "report": f"{REPORT_SECONDS:.0f}",
        "busy": f"{BUSY:.0f}",
        "lively": f"{LIVELY_SECONDS:.0f}",
        "rest_gets": f"{AT_REST.gets:.0f}",
        "rest_puts": f"{AT_REST.puts:.0f}",
        "way_gets": f"{UNDER_WAY.gets:.0f}",
        "way_puts": f"{UNDER_WAY.puts:.0f}",
        "sweep_gets": f"{SWEEP_GETS}",
        "month": _money(of_site(prices, AT_REST, MINUTES)),
        "sweep": _money(sweep),
        "hour": f"{of_site(prices, UNDER_WAY, 60):.3f}",
        "endpoint": _money(prices.prices["interface endpoint"].dollars * HOURS),
    }


def page(counts: Counts, prices: Prices) -> str:
    """docs/cost.md."""
    idle, busy = bill(counts, prices, drains=0), bill(counts, prices, drains=BUSY_DRAINS)
    rows = [
        f"| {one.what} | {_money(one.dollars[0])} | {_money(other.dollars[0])} | {_money(one.dollars[1])} "
        f"| {_money(other.dollars[1])} |"
        for one, other in zip(idle, busy, strict=True)
    ]
    sums = [sum(line.dollars[at] for line in lines) for at in (0, 1) for lines in (idle, busy)]
    total = "| **together** | " + " | ".join(f"**{_money(one)}**" for one in sums) + " |"
    listed = "\n".join(
        f"| {name} | {_exact(price.dollars)} | {price.per} | {price.source} |" for name, price in prices.prices.items()
    )
    return TEXT.format(
        counted=counts.counted,
        how=HOW[counts.how],
        date=prices.date,
        region=prices.region,
        drains=BUSY_DRAINS,
        rows="\n".join([*rows, total]),
        prices=listed,
        minute=_use(counts.minute),
        drain=_use(counts.drain),
        calls="\n".join(f"| `{name}` | {number:.0f} |" for name, number in sorted(counts.drain.calls.items())),
        cell=_held(counts.cell),
        cluster=_held(counts.cluster),
        **_site(prices),
    )


def _money(dollars: float) -> str:
    return f"{dollars:,.2f}"


def _exact(dollars: float) -> str:
    return f"{dollars:.10f}".rstrip("0").rstrip(".")


def _held(held: Mapping[str, int]) -> str:
    return ", ".join(f"{number} x {name}" for name, number in held.items())


def _use(use: Use) -> str:
    return (
        f"{sum(use.calls.values()):.0f} calls of AWS, {use.read_units:.1f} read and {use.write_units:.1f} write units, "
        f"{use.function_calls:.1f} calls of functions ({use.gb_seconds:.2f} GB s), {use.transitions:.0f} state "
        f"transitions, {use.log_bytes / 1000:.1f} kB of logs"
    )


HOW = {
    "stack": "Counted on the local stack; functions took the time that they took there, warm.",
    "simulation": "Counted in the simulation: Vagus's own code against the fakes of its ports.\nThe time of functions "
    "is assumed there: half a second for a sweep or a watch, 0.3 s for a look or a step.",
}
TEXT = """\
# What it costs

{how}

Counted on {counted}, and priced with **list prices of {region} as we knew them on {date}**: they were written down, not
fetched; prices change, and yours are others. Check them (`benchmarks/cost_prices.json`), then
`python -m benchmarks._cost` writes this page anew; `make bench NAME=cost` counts anew, on the local stack.

Dollars a month. *Busy*: {drains} instances leave each cluster in the month.

| | 1 cluster, idle | 1 cluster, busy | 50 clusters (2 cells), idle | 50 clusters, busy |
| --- | ---: | ---: | ---: | ---: |
{rows}

Read it so: what Vagus *does* costs little; what stands there to do it without a way to the internet (endpoints),
and under keys of your own, is most of a small cell's bill, and is paid once for the cell. With many clusters it is
alarms and figures, which are what wakes you. A VPC of your own that has the endpoints already takes their line
away.

Not in it: the clusters' own instances, volumes and traffic; with `certificates.issuer: kms` two keys more for each such
cluster (1.00 a month each) and its issuing function's calls; with `private_ca`, of prices from memory of
2026-11-26, 400 a month for each private CA (50 of the mode for short-lived certificates), 0.75 (0.058) for each
certificate, about eight a node and year, and an endpoint in each zone; with gateways, the calls of one function more;
data through endpoints (0.01 a GB), requests of keys, storage of logs, tables and buckets, messages to people; VPC flow
logs and Step Functions' logs of executions, which grow with your traffic (0.50 a GB); events that the cluster watch
puts (1.00 a million); retained instances, billed while they wait; free tiers.

## What was counted

- **One idle minute**, one cluster: {minute}.
- **One drain**, from the instance's wait to the end of its run: {drain}.
- **A cell has** {cell}. **A cluster adds** {cluster}.

Units of tables are counted from bytes as JSON, which are a little more than what AWS bills. For 50 clusters everything
but the calls of functions and the keeper's time is taken 50 times: too much for what is described once for all. A cell
takes about 30 clusters, for roles name them and IAM takes 10,240 characters of a role; a synth refuses more.

| calls of one drain | |
| --- | ---: |
{calls}

## A cluster on Kubernetes

Not in the table. What its [agent](kubernetes.md) asks of S3 is computed from the intervals in its code
(`agent/vagus_agent/agent.py`), not counted:

| | gets a minute | puts a minute | dollars |
| --- | ---: | ---: | ---: |
| the agent, at rest: a round each {rest} s, a report each {report} s | {rest_gets} | {rest_puts} | {month} a month |
| while a request is open, and {lively} s after a change: each {busy} s | {way_gets} | {way_puts} | {hour} an hour |
| the sweep (counted by a test) | {sweep_gets} | 0 | {sweep} a month |

Each open request is one get more in each round, and one put a minute. Few of these calls ask KMS (S3 Bucket Keys).
Beside that such a cluster has two keys (1.00 a month each), four alarms, and no secret, group or function of its own.
The way from its site costs more than all of that: interface endpoints for S3 and for Roles Anywhere are {endpoint} a
month each, in each zone, where your VPC has none; and the VPN is yours.

## Prices

| | dollars | per | |
| --- | ---: | --- | --- |
{prices}
"""


def read() -> tuple[Counts, Prices]:
    """The two files."""
    return (
        msgspec.json.decode(COUNTS.read_bytes(), type=Counts),
        msgspec.json.decode(PRICES.read_bytes(), type=Prices),
    )


if __name__ == "__main__":
    PAGE.write_text(page(*read()))

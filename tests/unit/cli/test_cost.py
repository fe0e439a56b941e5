"""The bill of docs/cost.md: how it is added up, and that the page is the one that its two files make."""

import msgspec
from benchmarks import _cost
from benchmarks._cost import Counts, Price, Prices, Use

NAMES = (
    "alarm", "custom metric", "dashboard", "log GB", "lambda call", "lambda GB second", "state transition",
    "table read unit", "table write unit", "queue request", "interface endpoint", "key", "secret",
    "object get", "object put",
)  # fmt: skip
PRICES = Prices(date="d", region="r", prices={name: Price(1.0, "one", "s") for name in NAMES})
COUNTS = Counts(
    counted="d",
    how="simulation",
    minute=Use(function_calls=3, read_units=10),
    shared=Use(function_calls=3, read_units=4),
    drain=Use(function_calls=7, transitions=20),
    cell={"key": 5, "interface endpoint": 21},
    cluster={"secret": 2, "alarm": 10},
    quiet_figures=4,
)


def bill(drains: int) -> dict[str, tuple[float, ...]]:
    return {line.what: line.dollars for line in _cost.bill(COUNTS, PRICES, drains=drains)}


def test_what_a_cell_has_is_paid_for_each_cell_and_what_a_cluster_has_for_each() -> None:
    idle = bill(0)
    assert idle["customer keys"] == (5.0, 10.0)
    assert idle["interface endpoints"] == (21 * 730, 2 * 21 * 730)
    assert idle["secrets"] == (2.0, 100.0)
    assert idle["alarms"] == (10.0, 500.0)
    assert idle["figures of clusters"] == (4.0, 200.0)


def test_what_does_not_grow_with_clusters_is_used_once_a_cell() -> None:
    idle = bill(0)
    assert idle["functions: calls"] == (3 * 43_800, 2 * 3 * 43_800)
    assert idle["tables: reads"] == (10 * 43_800, (2 * 4 + 6 * 50) * 43_800)


def test_a_drain_is_paid_where_it_happens() -> None:
    idle, busy = bill(0), bill(100)
    assert [more - less for more, less in zip(busy["functions: calls"], idle["functions: calls"], strict=True)] == [
        700,
        35_000,
    ]
    assert (idle["state transitions"], busy["state transitions"]) == ((0.0, 0.0), (2_000.0, 100_000.0))


def test_an_agents_calls_follow_from_its_intervals() -> None:
    assert (_cost.AT_REST.gets, _cost.AT_REST.puts) == (12, 1)
    assert (_cost.UNDER_WAY.gets, _cost.UNDER_WAY.puts) == (40, 20)
    assert _cost.of_site(PRICES, _cost.AT_REST, 10) == 130


def test_the_page_is_made_of_counts_and_prices() -> None:
    assert _cost.PAGE.read_text() == _cost.page(*_cost.read()), "python -m benchmarks._cost"


def test_every_price_has_its_source_and_the_page_says_their_date() -> None:
    _, prices = _cost.read()
    assert all(price.source and price.per and price.dollars > 0 for price in prices.prices.values())
    assert set(prices.prices) == set(NAMES)
    assert prices.date in _cost.PAGE.read_text()
    assert msgspec.json.decode(msgspec.json.encode(prices), type=Prices) == prices

"""When the shadow gives way to live, and when it goes on."""

from lockgate.release.shadow_brake import BREATH_S, WINDOW_S, Brake, Load, p99_s

INF = float("inf")


def load(turn: int, *, slow: int = 0, count: int = 1_000, cpu_s: float = 0.0) -> Load:
    """What was counted after so many windows: in each `count` requests within 10 ms, `slow` of them within 500 ms."""
    told = {
        0.01: turn * (count - slow),
        0.05: turn * (count - slow),
        0.1: turn * (count - slow),
        0.5: turn * count,
        INF: turn * count,
    }
    return Load(turn * WINDOW_S, {"churn": told}, cpu_s)


def grown(before: Load, *, slow: int, count: int = 1_000, cpu_s: float = 0.0) -> Load:
    """One window more."""
    window = load(1, slow=slow, count=count).buckets["churn"]
    told = {limit: before.buckets["churn"][limit] + window[limit] for limit in window}
    return Load(before.at_s + WINDOW_S, {"churn": told}, before.cpu_s + cpu_s)


def test_it_pauses_for_a_slow_live_and_goes_on_when_it_is_quick_again() -> None:
    """Two in a hundred requests over 100 ms with a limit of 50: paused, said why; then quick again: not any more."""
    brake, seen = Brake(cores=2), load(1)
    brake.look(seen, {"churn": 0.05})
    assert not brake.waits("churn", seen.at_s)
    seen = grown(seen, slow=20)
    brake.look(seen, {"churn": 0.05})
    assert brake.waits("churn", seen.at_s)
    assert brake.why("churn") == "live's 99th percentile is over 100 ms, the limit is 50 ms"
    assert not brake.waits("loans", seen.at_s)  # another model's live is as quick as ever
    seen = grown(seen, slow=5)
    brake.look(seen, {"churn": 0.05})
    assert brake.why("churn") is None
    assert not brake.waits("churn", seen.at_s)


def test_a_pause_lets_a_chunk_through_now_and_then() -> None:
    """A service that is slow for reasons of its own still gets a verdict."""
    brake, seen = Brake(cores=2), load(1)
    brake.look(seen, {"churn": 0.05})
    brake.look(grown(seen, slow=500), {"churn": 0.05})
    waits = [brake.waits("churn", 100.0 + second) for second in range(int(3 * BREATH_S))]
    assert waits.count(False) == 2
    assert waits[0]


def test_a_busy_gateway_pauses_all() -> None:
    """Workers that use 95 % of two processors: every model's shadow waits; at 80 % it still does, at 50 % no more."""
    brake, seen = Brake(cores=2), load(1)
    brake.look(seen, {})
    for share, paused in ((0.95, True), (0.80, True), (0.5, False), (0.80, False)):
        seen = grown(seen, slow=0, cpu_s=share * 2 * WINDOW_S)
        brake.look(seen, {})
        assert (brake.why("churn") is not None) is paused


def test_too_few_requests_and_a_restarted_worker_say_nothing() -> None:
    """A hundred requests in a window are needed; counts that went back are of a worker that started again."""
    assert p99_s({}, {0.01: 0, INF: 99}) is None
    assert p99_s({0.01: 500, INF: 900}, {0.01: 300, INF: 1_100}) is None
    brake, seen = Brake(cores=1), load(5, slow=100, cpu_s=50.0)
    brake.look(seen, {"churn": 0.05})
    brake.look(Load(seen.at_s + WINDOW_S, load(1, slow=900).buckets, 0.1), {"churn": 0.05})
    assert brake.why("churn") is None

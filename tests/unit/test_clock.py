import pytest

from hwsim.engine.clock import Clock


def test_times_are_whole_cycles() -> None:
    clock = Clock.from_frequency(1e9)
    assert clock.period == 1000
    assert clock.whole_cycles(2e-9) == 2000
    assert clock.whole_cycles(1.28e-9, rounding="up") == 2000
    assert clock.whole_cycles(0.0) == 0
    with pytest.raises(ValueError, match="1280 ps is no whole number of cycles of 1000 ps"):
        clock.whole_cycles(1.28e-9)


def test_a_frequency_without_a_period_of_whole_picoseconds_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"a clock of 333000000 Hz .* the nearest one that has is 333000333 Hz"):
        Clock.from_frequency(333e6)
    assert Clock.from_frequency(333000333).period == 3003
    assert Clock.from_frequency(250e6).period == 4000

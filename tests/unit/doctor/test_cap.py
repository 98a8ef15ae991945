"""What is said of an upper bound."""

from repro.doctor.cap import Cap


def test_a_cap_above_the_newest_release() -> None:
    """It holds nothing back: it is neither needed nor in the way."""
    made = Cap(distribution="lightning", specifiers="<3", newest_within="2.6.0", newest="2.6.0", since=None)
    assert (made.reasons, made.costs) == ((), ())
    assert made.text == "the cap lightning<3 holds nothing back: 2.6.0 is the newest release"

"""What a scenario may say beside the contract, by attributes that not every scenario has.

- :class:`Proxied`: it measures Services, so a lab without a proxy mode has nothing for it. Such
  labs of a campaign are left out, and a campaign that has no others is refused.
- :class:`Stateful`: some of its parameters say what the lab *holds*, which takes long to change
  (10,000 Services). Each combination of their values has a lab of its own, which is put into that
  state once, after it has started. So the order of the samples stays as it is: all labs are
  measured in turns, and no sample waits for a state.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from testbed.measure.contract import Cell, LabHandle, Scenario

NO_PROXY = "none"
"""The proxy mode that carries no Service."""


@runtime_checkable
class Proxied(Protocol):
    """A scenario that may need a proxy mode."""

    proxied: bool
    """Whether it does."""


@runtime_checkable
class Stateful(Protocol):
    """A scenario some of whose parameters are states of a lab."""

    states: tuple[str, ...]
    """Names of these parameters."""

    def prepare(self, lab: LabHandle, state: Cell) -> None:
        """Puts a lab that has just started into a state.

        Args:
            lab: The lab; no other scenario measures in it.
            state: The parameters of :attr:`states` with their values.

        Raises:
            LabError: The lab could not be put into it.
        """


def proxied(scenario: Scenario) -> bool:
    """Whether a scenario needs a lab that carries Services."""
    return isinstance(scenario, Proxied) and scenario.proxied


def state_of(scenario: Scenario, cell: Cell) -> tuple[tuple[str, object], ...]:
    """The part of a cell that is a state of the lab, as names and values; empty for none."""
    if not isinstance(scenario, Stateful):
        return ()
    return tuple((name, cell[name]) for name in scenario.states)

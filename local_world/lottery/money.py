"""Where the money of some days went, to the atom: what came in, where each atom is now, and whether both agree."""

from dataclasses import dataclass

from bo_engine.units import Atoms


@dataclass(frozen=True, slots=True)
class Place:
    """Where money is: ``booked_atoms`` follows from the settled files, ``held_atoms`` is what the chain says."""

    what: str
    where: str
    booked_atoms: Atoms
    held_atoms: Atoms

    @property
    def agrees(self) -> bool:
        """Whether the chain holds what the files say."""
        return self.booked_atoms == self.held_atoms


@dataclass(frozen=True, slots=True)
class MoneyFlow:
    """Stakes that came in and every place that they went to. Gas costs are no stake and stand apart."""

    player_stake_atoms: Atoms
    voucher_stake_atoms: Atoms
    places: tuple[Place, ...]
    gas: Place

    @property
    def stake_atoms(self) -> Atoms:
        """All that came in for tips."""
        return Atoms(self.player_stake_atoms + self.voucher_stake_atoms)

    @property
    def placed_atoms(self) -> Atoms:
        """All that the chain holds in the places."""
        return Atoms(sum(place.held_atoms for place in self.places))

    @property
    def missing_atoms(self) -> int:
        """Came in minus found; zero when every atom's place is known."""
        return self.stake_atoms - self.placed_atoms

    @property
    def adds_up(self) -> bool:
        """Whether nothing is missing and the chain agrees with the files at each single place."""
        return self.missing_atoms == 0 and all(place.agrees for place in (*self.places, self.gas))


def share_percent(part_atoms: int, whole_atoms: int) -> str:
    """A part of the whole in percent with one decimal, rounded down, for people."""
    tenths = 1000 * part_atoms // whole_atoms if whole_atoms else 0
    return f"{tenths // 10}.{tenths % 10} %"

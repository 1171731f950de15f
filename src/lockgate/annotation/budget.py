"""How many labels a budget buys: in items, or in money at a price for each answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lockgate.errors import InvalidInput


@dataclass(frozen=True)
class Budget:
    """How many labels may be bought: `items`, or `money` at `price` for each of `people` answers to an item."""

    items: int | None = None
    money: float | None = None
    price: float | None = None
    people: int = 1

    def count(self) -> int:
        """Items. Raises InvalidInput.

        >>> Budget(money=50, price=0.5, people=2).count(), Budget(items=100).count()
        (50, 100)
        """
        if self.people < 1:
            raise InvalidInput("somebody must label each item", got=self.people, allowed="at least 1")
        if (self.items is None) == (self.money is None):
            raise InvalidInput("the budget is a number of items or an amount of money", allowed="one of both")
        if self.items is not None:
            if self.items < 1:
                raise InvalidInput("the budget buys nothing", got=self.items, allowed="at least 1 item")
            return self.items
        if not self.price or self.price <= 0 or not math.isfinite(self.price):
            raise InvalidInput("a budget in money needs the price of one answer", got=self.price,
                               fix="add --price 0.12")  # fmt: skip
        if not math.isfinite(self.money or 0):
            raise InvalidInput("the budget is no amount of money", got=self.money)
        count = math.floor((self.money or 0) / (self.price * self.people) + 1e-9)
        if count < 1:
            raise InvalidInput("the budget buys no item", got=self.money,
                               allowed=f"at least {self.price * self.people:g} for one")  # fmt: skip
        return count

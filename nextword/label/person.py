"""Who acts: a person or a machine with a role. Every method of the desk is told its actor.

Three roles, each with the rights of those before it: a labeller writes, corrects, compares and rates; a
reviewer also reviews and adjudicates; an owner also keeps people, projects, guides, imports and exports. A
machine (a rule, a model that judges) is a labeller without a password, and every record it leaves says so.
Outside the database people are known by their pseudonym only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nextword.label.refusals import NotAllowed

Role = Literal["labeller", "reviewer", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Person:
    """Somebody who may act, as the database knows them at this moment."""

    id: int
    name: str
    pseudonym: str
    role: Role
    is_machine: bool = False

    def may(self, role: Role) -> bool:
        """Whether this person has at least the rights of `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def must(self, role: Role, what: str) -> None:
        """NotAllowed unless this person has at least the rights of `role`."""
        if not self.may(role):
            raise NotAllowed(f"a {self.role} may not {what}", do=f"ask somebody who is {_a(role)}")


def _a(role: Role) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"

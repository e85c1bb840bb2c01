"""What an operator asks, and whether it can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from privacy import audit
from privacy.actions import Identity, Person
from privacy.engine.identity import InvalidIdentity, canonical
from privacy.models import DatasetVersion

ACTIONS = ("locate", "export", "erase", "restrict", "lift", "rectify")
RIGHTS = {
    "erase": "erasure",
    "restrict": "restriction",
    "lift": "lift",
    "rectify": "rectification",
    "export": "access",
    "locate": "access",
}
Say = Callable[[str], None]


class Refused(Exception):
    """The command cannot be carried out as it stands. `status` is the exit status: 2 for wrong usage, 1 for the rest."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Asked:
    """One command. `people`: {identity kind: [values]} per person."""

    action: str
    people: Sequence[Mapping[str, Sequence[str]]]
    stores: tuple[str, ...] = ()
    dry_run: bool = False
    out: Path | None = None
    recipient: str | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    ground: str = "a"
    contested: str | None = None
    reference: str | None = None
    actor: str = "operator"
    reason: str = ""

    @property
    def audited_as(self) -> str:
        """The actor as the audit log takes it."""
        return f"operator:{self.actor}"


def person_of_command(number: int, identities: Mapping[str, Sequence[str]]) -> Person:
    for kind, values in identities.items():
        for value in values:
            try:
                canonical(kind, value)
            except InvalidIdentity as error:
                raise Refused(str(error)) from None
    return Person(str(number), tuple(Identity(kind, value) for kind, values in identities.items() for value in values))


def require_sensible(asked: Asked) -> None:
    known = set(DatasetVersion.objects.filter(is_current=True, store__is_active=True).values_list("store__key", flat=True))
    if not known:
        raise Refused("no store is registered yet; load its dataset file with `datamap load`", 1)
    if unknown := sorted(set(asked.stores) - known):
        raise Refused(f"no store has the key {unknown[0]}; registered are {', '.join(sorted(known))}")
    if not audit.is_actor(asked.audited_as):
        # Said before anything is done: what cannot be recorded must not happen.
        raise Refused("--actor takes a name without @, 55 characters at most")
    if asked.action == "rectify" and not asked.changes:
        raise Refused("say what to correct: --set store.collection.field=value")
    for path in asked.changes:
        if path.split(".")[0] not in known:
            raise Refused(f"--set {path}: no store has the key {path.split('.')[0]}")
    if asked.action == "export" and not asked.dry_run:
        if asked.out is None:
            raise Refused("say where the package goes: --out FILE.zip")
        if len(asked.people) > 1:
            raise Refused("export takes one person at a time")

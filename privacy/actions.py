"""What the upper floors may ask of the data: find a person in every store, carry out a right in one store, write a package.

This is the one door to the engine. It takes and gives plain values, opens the registered stores and knows their loaded maps;
it knows no request and no customer: `ref` is whatever opaque reference the caller uses for a person.
"""

from privacy.contested import Against, ContestedGroup, contested_groups, explained_groups, look
from privacy.engine.contested.answers import collection_of
from privacy.executing import execute
from privacy.finding import contacts, find, held_identities, preview_fields
from privacy.maps import erased_before, opened_once
from privacy.naming import name_beside
from privacy.outlook import general_outlook, outlook
from privacy.packaging import write_package
from privacy.scanning import scan
from privacy.stores.patience import patience
from privacy.terms import Contact, Finding, Identity, Person, RunItem, RunOutcome, Scanned, StoreUnavailable, UnknownStore

__all__ = [
    "Against",
    "Contact",
    "ContestedGroup",
    "Finding",
    "Identity",
    "Person",
    "RunItem",
    "RunOutcome",
    "Scanned",
    "StoreUnavailable",
    "UnknownStore",
    "collection_of",
    "contacts",
    "contested_groups",
    "erased_before",
    "execute",
    "explained_groups",
    "find",
    "general_outlook",
    "held_identities",
    "look",
    "name_beside",
    "opened_once",
    "outlook",
    "patience",
    "preview_fields",
    "scan",
    "write_package",
]

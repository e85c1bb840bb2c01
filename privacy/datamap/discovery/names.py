"""What the names of columns and tables tell, in Swedish and in English."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from privacy.datamap.discovery.rules import ANYWHERE, NUMBER, RULES, WHO, Rule

# The last word says what a thing is: `email_count` is no address, `phone_type` no number.
_SOMETHING_ELSE = re.compile(
    r"(^|_)(id|ids|count|counter|type|types|status|kind|format|template|pattern|length|size|enabled|verified|confirmed|valid|required|"
    r"at|on|provider|domain|server|host|port|backend|class|field|label|prefix|mask|version|level|order|index|sort|position|flag|"
    r"antal|typ|mall|tries|attempts|path|mime|codec|slug|expires|expiry|strength|rate|percent|limit|policy|category|categories)$"
)

_ABOUT_A_PERSON = re.compile(
    r"(^|_)(customers?|clients?|users?|persons?|people|members?|employees?|staff|contacts?|subscribers?|patients?|students?|teachers?|"
    r"applicants?|candidates?|guests?|visitors?|participants?|attendees?|cards?|bank_?cards?|credit_?cards?|guardians?|profiles?|leads?|donors?|voters?|"
    r"authors?|panel_users?|kund|kunder|kundregister|anvandare|anstallda?|medlem|medlemmar|medarbetare|kontakter?|kontaktperson(er)?|"
    r"besokare|deltagare|elev|elever|patienter|personer|personal|sokande|handlaggare|abonnenter?|prenumeranter?)$"
)
_STAFF = re.compile(
    r"(^|_)(employees?|staff|agents?|admins?|administrators?|operators?|anstallda?|medarbetare|handlaggare|personal|support)(_|$)"
)
_ORGANISATION = re.compile(
    r"(^|_)(compan(y|ies)|organi[sz]ations?|tenants?|teams?|groups?|offices?|departments?|branch(es)?|stores?|shops?|suppliers?|vendors?|"
    r"schools?|roles?|foretag|organisationer|avdelning(ar)?|kontor|butiker?|leverantor(er)?|grupper|skolor)$"
)
_CATALOGUE = re.compile(
    r"(^|_)(products?|articles?|categor(y|ies)|types?|status(es)?|plans?|countr(y|ies)|currenc(y|ies)|tags?|permissions?|"
    r"languages?|address(es)?|adress(er)?|locations?|cit(y|ies)|ort(er)?|content_types?|sites?|produkt(er)?|artik(el|lar)|kategori(er)?|lander|typer)$"
)
_BOOKKEEPING = re.compile(
    r"(^|_)(invoices?|payments?|receipts?|transactions?|vouchers?|ledger|refunds?|faktur(a|or)|betalning(ar)?|kvitto(n)?|verifikat(ion(er)?)?)(_|$)"
)
_LOG = re.compile(
    r"(^|_)(logs?|logins?|sessions?|requests?|events?|audit|history|visits?|clicks?|logg(ar)?|inloggning(ar)?|historik|besok)(_|$)"
)
_SYSTEM = re.compile(
    r"django_(migrations|content_type|session|site)|auth_(permission|group|group_permissions)|alembic_version|schema_migrations|"
    r"ar_internal_metadata|flyway_schema_history|databasechangelog(lock)?|knex_migrations(_lock)?|phinxlog|migrations|jobs|failed_jobs|"
    r"job_batches|cache|cache_locks|sessions|django_celery_\w+|celery_\w+|spatial_ref_sys|doctrine_migration_versions|"
    r"_?efmigrationshistory|goose_db_version|geometry_columns|geography_columns"
)
# The part somebody plays beside whoever the row is about.
_ACTOR = re.compile(
    r"(^|_)(rep|assigned(_to)?|assignee|manager|reports_to|supervisor|approv(ed_by|er)|(created|updated|modified|changed|deleted|added|"
    r"entered|handled|closed|reviewed|decided|proposed|resolved|locked|invited|referred)_by|creator|editor|reviewer|responsible|agent|"
    r"employee|staff|support|admin|operator|parent|chef|ansvarig|handlaggare|skapad_av|andrad_av|saljare)(_|$)"
)


@lru_cache(maxsize=8192)
def words(identifier: str) -> str:
    """`BillingPostalCode`, `billing-postalcode` … as lower-case words joined by `_`, without diacritics; a number is a word."""
    text = re.sub(
        r"(?<=[a-zåäö0-9])(?=[A-ZÅÄÖ])|(?<=[A-ZÅÄÖ])(?=[A-ZÅÄÖ][a-zåäö])", "_", unicodedata.normalize("NFC", identifier)
    )
    plain = "".join(ch for ch in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(ch))
    return re.sub(r"(?<=[a-z])(?=\d+$)", "_", re.sub(r"[^a-z0-9]+", "_", plain)).strip("_")


@lru_cache(maxsize=8192)
def rules_for(column: str) -> tuple[tuple[Rule, bool], ...]:
    """(rule, whether it names the whole column) of the rules that fit a column's name, best first."""
    name = re.sub(r"_\d+$", "", words(column))
    found = []
    for rule in RULES:
        match = _compiled(rule.pattern).search(name)
        if match is None:
            continue
        whole = match.end() == len(name)
        if not whole and rule.where != ANYWHERE:
            continue
        if not whole and _SOMETHING_ELSE.search(name):
            continue
        found.append((rule, whole))
    return tuple(item for item in found if item[1]) or tuple(found)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|_)(?:{pattern})(?=_|$)")


def about_a_person(table: str) -> bool:
    return _ABOUT_A_PERSON.search(words(table)) is not None


def staff(table: str) -> bool:
    return _STAFF.search(words(table)) is not None


def organisation(table: str) -> bool:
    return _ORGANISATION.search(words(table)) is not None


def catalogue(table: str) -> bool:
    return _CATALOGUE.search(words(table)) is not None


def bookkeeping(table: str) -> bool:
    return _BOOKKEEPING.search(words(table)) is not None


def log(table: str) -> bool:
    return _LOG.search(words(table)) is not None


def system(table: str) -> bool:
    return _SYSTEM.fullmatch(words(table)) is not None


def actor(column: str) -> bool:
    return _ACTOR.search(words(column)) is not None


def number_of_its_own(table: str, column: str) -> bool:
    """`customer.number`: the number by which a customer is known."""
    return (
        re.search(rf"(^|_){WHO}s?$", words(table).replace("kunder", "kund")) is not None
        and re.fullmatch(NUMBER, words(column)) is not None
    )


def card_number(table: str, column: str) -> bool:
    return (
        re.search(r"(^|_)(bank|credit|debit|payment)_?cards?$", words(table)) is not None
        and re.fullmatch(NUMBER, words(column)) is not None
    )
